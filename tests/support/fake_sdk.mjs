// A stand-in for the platform's Interaction SDK, over the emulator: the documented functions, with
// element objects that are updated in place and callbacks that say nothing. What is not documented
// is a knob, turned by `configure({ host, projectId, knobs })`. Runs in Node.js and in browsers.

const NOT_KNOWN = {
  answerThrows: "", // "before": and nothing is sent; "after": and the vote is on its way
  answerReturns: undefined, // what answer() returns; a promise that rejects, for "rejects"
  resultsLateMs: 0, // results are told so much later than they come
  resultsAfterOwnVote: false, // results stay null until this user has answered
  duplicateCallbacks: false, // every callback is called twice
  replaceObjects: false, // a changed element is another object, and the old one stays as it was
  listsClosed: true, // getElements has closed elements, too
  losesOffline: true, // an answer without a connection is lost; else it throws
};

let knobs = NOT_KNOWN;
let host = "";
let meshes = new Map(); // event id -> its connection

export function configure(options) {
  host = options.host;
  knobs = { ...NOT_KNOWN, ...options.knobs };
}

/** The event, or null. */
export async function getEvent(id) {
  if (!meshes.has(id)) meshes.set(id, new Mesh(id));
  const event = await meshes.get(id).ready;
  if (!event) meshes.delete(id);
  return event;
}

export async function getElements(event) {
  const elements = [...meshOf(event).elements.values()];
  return elements.filter((element) => knobs.listsClosed || element.state !== "closed");
}

export function answer(element, optionIndex) {
  if (knobs.answerThrows === "before") throw new Error("not today");
  meshes.get(element.eventId).answer(element, optionIndex);
  if (knobs.answerThrows === "after") throw new Error("too late");
  if (knobs.answerReturns === "rejects") return Promise.reject(new Error("later on, no"));
  return knobs.answerReturns;
}

export const onEventState = (event, callback) => meshOf(event).on("state", callback);
export const onEventUpdated = (event, callback) => meshOf(event).on("updated", callback);
export const onElementPublished = (event, callback) => meshOf(event).on("published", callback);
export const onElementRevoked = (event, callback) => meshOf(event).on("revoked", callback);
export const onElementStateChanged = (element, callback) =>
  meshes.get(element.eventId).on(`state ${element.id}`, callback);
export const onElementResults = (element, callback) =>
  meshes.get(element.eventId).on(`results ${element.id}`, callback);

const meshOf = (event) => meshes.get(event.id);

/** One event and its connection, which comes back by itself and often goes unnoticed. */
class Mesh {
  elements = new Map();
  #event = null;
  #listeners = new Map();
  #answers = 0;
  #withheld = new Map(); // element id -> results that only a voter may see
  #socket;
  #found;

  constructor(id) {
    this.id = id;
    this.ready = new Promise((resolve) => (this.#found = resolve));
    this.#connect();
  }

  on(what, callback) {
    const listeners = this.#listeners.get(what) ?? new Set();
    this.#listeners.set(what, listeners.add(callback));
    return () => listeners.delete(callback);
  }

  answer(element, optionIndex) {
    if (this.#socket.readyState === 1) {
      const message = { id: `${++this.#answers}`, element: element.id, options: [optionIndex] };
      this.#socket.send(JSON.stringify({ type: "answer", ...message }));
    } else if (!knobs.losesOffline) {
      throw new Error("offline");
    }
    Object.assign(element, { hasBeenAnswered: true, userAnswer: optionIndex });
    if (!knobs.resultsAfterOwnVote) return;
    setTimeout(() => {
      const results = this.#withheld.get(element.id);
      if (results) this.#tellResults(element.id, results);
    });
  }

  #connect() {
    this.#socket = new WebSocket(host, ["poll-counter.v1"]);
    this.#socket.onopen = () =>
      this.#socket.send(JSON.stringify({ type: "hello", event: this.id, user: sid() }));
    this.#socket.onmessage = ({ data }) => this.#take(JSON.parse(data));
    this.#socket.onerror = () => {};
    this.#socket.onclose = ({ code }) => {
      if (code === 4404) this.#found(null);
      else setTimeout(() => this.#connect(), 50);
    };
  }

  #take(message) {
    const { type, element } = message;
    if (type === "welcome") this.#welcome(message);
    else if (type === "element_published") this.#publish(element);
    else if (type === "element_updated") this.#change(element.id, { ...like(element) });
    else if (type === "element_state") this.#change(element, { state: message.state });
    else if (type === "element_revoked") this.#revoke(element);
    else if (type === "results") this.#resultsCame(element, message.votes);
    else if (type === "event_state") this.#eventIs({ state: message.state });
    else if (type === "event_updated") this.#eventIs({ fields: message.fields });
  }

  #welcome({ event, elements }) {
    const present = new Set(elements.map((element) => element.id));
    if (!this.#event) {
      this.#event = { id: event.id, name: event.name, state: event.state, fields: event.fields };
      for (const each of elements) this.#publish(each);
      this.#found(this.#event);
      return;
    }
    for (const id of this.elements.keys()) if (!present.has(id)) this.#revoke(id);
    for (const each of elements) {
      if (this.elements.has(each.id)) this.#change(each.id, { state: each.state });
      else this.#publish(each);
      if (each.results) this.#resultsCame(each.id, each.results.votes);
    }
    this.#eventIs({ state: event.state, fields: event.fields });
  }

  #publish(told) {
    const element = { ...like(told), eventId: this.id, results: null, hasBeenAnswered: false };
    Object.assign(element, { canShowResults: false, userAnswer: null, interactive: true });
    this.elements.set(element.id, element);
    this.#call("published", element);
    if (told.results) this.#resultsCame(told.id, told.results.votes);
  }

  #revoke(id) {
    const element = this.elements.get(id);
    this.elements.delete(id);
    this.#call("revoked", element);
  }

  #change(id, changes) {
    const element = this.#with(id, changes);
    if (element) this.#call(`state ${element.id}`);
  }

  #resultsCame(id, votes) {
    if (!knobs.resultsLateMs) this.#tellResults(id, votes);
    else setTimeout(() => this.#tellResults(id, votes), knobs.resultsLateMs);
  }

  #tellResults(id, votes) {
    this.#withheld.set(id, votes);
    const element = this.elements.get(id);
    if (!element || (knobs.resultsAfterOwnVote && !element.hasBeenAnswered)) return;
    const total = votes.reduce((sum, each) => sum + each, 0);
    const results = votes.map((each) => ({
      votes: each,
      percentage: total && Math.round((100 * each) / total),
    }));
    this.#with(id, { results, canShowResults: true });
    this.#call(`results ${id}`);
  }

  /** Change an element in place; or, with that knob, put another object there. */
  #with(id, changes) {
    const element = this.elements.get(id);
    if (!element) return null;
    const changed = Object.assign(knobs.replaceObjects ? { ...element } : element, changes);
    this.elements.set(id, changed);
    return changed;
  }

  #eventIs(changes) {
    const before = JSON.stringify(this.#event);
    Object.assign(this.#event, changes);
    if (JSON.stringify(this.#event) === before) return;
    this.#call("state");
    this.#call("updated");
  }

  #call(what, ...told) {
    for (const callback of [...(this.#listeners.get(what) ?? [])]) {
      callback(...told);
      if (knobs.duplicateCallbacks) callback(...told);
    }
  }
}

/** The members that a client sees: no custom fields, voting limits, times or revisions. */
function like(told) {
  const { id, type, content_type: contentType, state, question, answer_options } = told;
  return { id, type, contentType, state, question, answerOptions: answer_options };
}

/** The user's id, which the platform knows the device by. */
function sid() {
  if (!localStorage.getItem("sid")) localStorage.setItem("sid", crypto.randomUUID());
  return localStorage.getItem("sid");
}
