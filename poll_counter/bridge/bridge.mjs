// Brings an app's Interaction SDK and a PollCounter in Python together:
//
//     import { bridge } from "http://127.0.0.1:41234/<token>/bridge.mjs";
//     bridge(sdk, { url: "ws://127.0.0.1:41234/<token>", configure: { host, projectId } });
//
// It connects to the counter, is told there which event is wanted, and tells it what the SDK's
// objects and callbacks say, on the counter's live channel; votes come the other way. `rev` is
// always 0: the SDK tells changes in order, and has no revisions.
//
// Nothing is counted or decided here. Of each element it keeps the SDK's object, what to call to
// hear no more of it, and what was last told of it, so that nothing is told twice. All that is
// forgotten with a connection; the next one begins with a snapshot.

const SUBPROTOCOL = "poll-counter.v1";
const CANNOT_WORK = 4500; // the close code after an `error` that says why
const FIRST_MS = 500; // reconnects: full jitter, from this on doubling
const CAP_MS = 10_000;
const REREAD_MS = 1_000; // a whole audience may have reason to read at the same moment

/** What the SDK has to have; `configure` as well, where the bridge is to call it. */
export const FUNCTIONS = [
  "getEvent",
  "getElements",
  "answer",
  "onEventState",
  "onEventUpdated",
  "onElementPublished",
  "onElementRevoked",
  "onElementStateChanged",
  "onElementResults",
];

/**
 * Bridge an SDK and a counter until told to stop; connects, and reconnects for ever.
 *
 * @param sdk the SDK's functions, such as a module namespace.
 * @param options.url the counter's address, from Python: `transport.websocket_url`.
 * @param options.configure what to call `sdk.configure` with; leave it out if the app has done so.
 * @param options.onProblem told what is wrong, a sentence each.
 * @param options.WebSocket the class to connect with.
 * @returns an object with `close()`.
 */
export function bridge(sdk, options) {
  const { url, configure, onProblem = console.error, WebSocket = globalThis.WebSocket } = options;
  const wanted = configure ? ["configure", ...FUNCTIONS] : FUNCTIONS;
  const missing = wanted.filter((name) => typeof sdk[name] !== "function");
  if (missing.length) throw new TypeError(`the SDK has no function ${missing.join(", ")}`);
  if (!WebSocket) throw new TypeError("there is no WebSocket here");
  if (configure) sdk.configure(configure);
  let attempt = 0;
  let timer;
  let socket;
  let closed = false;

  function connect() {
    socket = new WebSocket(url, [SUBPROTOCOL]);
    const told = socket; // `socket` may be the next one by then
    const send = (message) => told.readyState === 1 && told.send(JSON.stringify(message));
    const session = new Session(sdk, send, () => (attempt = 0));
    const fail = (error) => {
      onProblem(sentence(error));
      send({ type: "error", code: "bridge", message: sentence(error).slice(0, 200) });
    };
    told.onmessage = ({ data }) =>
      session.receive(data).catch((error) => {
        fail(error);
        told.close(CANNOT_WORK);
      });
    session.onProblem = fail;
    told.onerror = () => {}; // it is closed after that
    told.onclose = () => {
      session.end();
      if (closed) return;
      timer = setTimeout(connect, Math.random() * Math.min(CAP_MS, FIRST_MS * 2 ** attempt));
      attempt = Math.min(attempt + 1, 10);
    };
  }

  connect();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      socket.close(1000);
    },
  };
}

/** One connection with the counter: from its hello until either end is gone. */
class Session {
  #sdk;
  #send;
  #welcomed;
  #event = null;
  #off = []; // what to call to hear no more of the event
  #held = new Map(); // element id -> { element, off, told, tallies, final }
  #live = false; // the snapshot was sent
  #ended = false;
  #again = false; // something came or went while the elements were read
  #rereading = null;
  #checked = false; // whether closed elements are listed
  #toldState = "";
  #toldFields = "";

  constructor(sdk, send, welcomed) {
    this.#sdk = sdk;
    this.#send = send;
    this.#welcomed = welcomed;
    this.onProblem = () => {};
  }

  /** Take in a frame of the counter; rejects where the SDK fails so that nothing can be told. */
  async receive(data) {
    const message = JSON.parse(data);
    if (message.type === "hello") await this.#begin(message.event);
    else if (message.type === "answer") this.#answer(message);
    else this.onProblem(`a message of type ${JSON.stringify(message.type)} is not understood`);
  }

  end() {
    this.#ended = true;
    clearTimeout(this.#rereading);
    for (const off of this.#off) off();
    for (const held of this.#held.values()) for (const off of held.off) off();
    this.#held.clear();
  }

  async #begin(eventId) {
    const sdk = this.#sdk;
    let event = await sdk.getEvent(eventId);
    if (!event && sdk.getEvents) {
      // Most recent first: of several the one that is meant.
      event = (await sdk.getEvents()).find((each) => each.id === eventId);
    }
    if (!event) throw new Error(`the SDK knows no event ${eventId}`);
    if (this.#ended) return;
    this.#event = event;
    this.#off = [
      sdk.onEventState(event, () => this.#tellEvent()),
      sdk.onEventUpdated(event, () => this.#tellEvent()),
      sdk.onElementPublished(event, (element) => this.#published(element)),
      sdk.onElementRevoked(event, (element) => this.#revoked(element)),
    ].filter((off) => typeof off === "function");
    let elements;
    do {
      this.#again = false;
      elements = await sdk.getElements(event);
      if (this.#ended) return;
    } while (this.#again);
    this.#toldState = lower(event.state);
    this.#toldFields = JSON.stringify(fieldsOf(event));
    const described = elements.map((element) => {
      const held = this.#hold(element);
      held.final = lower(element.state) === "closed";
      const [description, results] = [describe(element), resultsOf(held)];
      held.told = JSON.stringify(description);
      held.tallies = JSON.stringify(results);
      return results ? { ...description, results } : description;
    });
    this.#send({
      type: "welcome",
      rev: 0,
      server_time: Date.now() / 1000,
      event: {
        id: eventId,
        name: textOf(event.name),
        state: this.#toldState,
        rev: 0,
        fields: fieldsOf(event),
      },
      elements: described,
    });
    this.#live = true;
    this.#welcomed();
  }

  #answer({ id, element, options }) {
    const refuse = (why) => {
      if (why) this.onProblem(`answer() failed: ${sentence(why)}`);
      const reason = this.#held.has(element) ? "not_allowed" : "unknown_element";
      this.#send({ type: "answer_refused", id, element, options, reason });
    };
    const held = this.#held.get(element);
    if (!held) return refuse();
    try {
      // It is not known to say whether an answer counts; true and nothing are the same here.
      Promise.resolve(this.#sdk.answer(held.element, options[0])).then(
        (said) => said === false && refuse("it returned false"),
        refuse,
      );
    } catch (error) {
      refuse(error);
    }
  }

  // What the SDK calls

  #published(element) {
    if (!this.#live) this.#again = true;
    else if (element?.id === undefined) this.#rereadSoon();
    else this.#tell(this.#hold(element), "element_published");
  }

  #revoked(element) {
    if (!this.#live) this.#again = true;
    const held = this.#held.get(element?.id);
    if (!held || !this.#live) return;
    for (const off of held.off) off();
    this.#held.delete(element.id);
    this.#send({ type: "element_revoked", element: element.id, rev: 0 });
  }

  /** Called back about an element, without a word: read it, for it is updated in place. */
  #called(id, aboutResults) {
    const held = this.#held.get(id);
    if (!held || !this.#live) return;
    const closed = lower(held.element.state) === "closed";
    // Nobody says when results are final: those told of a closed element are taken as such.
    held.final = closed && (held.final || aboutResults);
    const news = this.#tell(held, "element_updated");
    // Where nothing reads otherwise, the SDK may hold another object in its place by now.
    if (!news || (closed && !this.#checked)) this.#rereadSoon();
    this.#checked ||= closed;
  }

  #tellEvent() {
    if (!this.#live) return;
    const fields = fieldsOf(this.#event);
    if (JSON.stringify(fields) !== this.#toldFields) {
      this.#toldFields = JSON.stringify(fields);
      this.#send({ type: "event_updated", fields, rev: 0 });
    }
    if (lower(this.#event.state) !== this.#toldState) {
      this.#toldState = lower(this.#event.state);
      this.#send({ type: "event_state", state: this.#toldState, rev: 0 });
    }
  }

  // What is held, and told

  #hold(element) {
    const before = this.#held.get(element.id);
    if (before?.element === element) return before;
    for (const off of before?.off ?? []) off();
    const { id } = element;
    const held = { told: "", tallies: "", final: false, ...before, element };
    held.off = [
      this.#sdk.onElementStateChanged(element, () => this.#called(id, false)),
      this.#sdk.onElementResults(element, () => this.#called(id, true)),
    ].filter((off) => typeof off === "function");
    this.#held.set(id, held);
    return held;
  }

  /** Tell what reads otherwise than before; says whether anything did. */
  #tell(held, type) {
    const element = describe(held.element);
    const told = JSON.stringify(element);
    const changed = told !== held.told;
    if (changed) this.#send({ type, element });
    const results = resultsOf(held);
    const tallies = JSON.stringify(results);
    const counted = results !== null && tallies !== held.tallies;
    if (counted) this.#send({ type: "results", element: element.id, ...results });
    Object.assign(held, { told, tallies });
    return changed || counted;
  }

  #rereadSoon() {
    this.#rereading ??= setTimeout(async () => {
      this.#rereading = null;
      try {
        this.#compare(await this.#sdk.getElements(this.#event));
      } catch (error) {
        this.onProblem(`getElements() failed: ${sentence(error)}`);
      }
    }, Math.random() * REREAD_MS);
  }

  /** Take in the elements as listed: those not held, and those that took another's place. */
  #compare(elements) {
    if (this.#ended) return;
    for (const element of elements) {
      const type = this.#held.has(element.id) ? "element_updated" : "element_published";
      const held = this.#hold(element);
      held.final = lower(element.state) === "closed"; // as in a snapshot
      this.#tell(held, type);
    }
    const listed = new Set(elements.map((element) => element.id));
    const closed = [...this.#held.values()].filter((e) => lower(e.element.state) === "closed");
    if (closed.some((held) => !listed.has(held.element.id))) {
      this.onProblem(
        "getElements() leaves closed elements out, so that who connects late takes the show for " +
          "an earlier round; pass lists_closed=False to BridgeTransport",
      );
    }
  }
}

/** An element as the live channel tells it. */
export function describe(element) {
  return {
    id: element.id,
    content_type: textOf(element.contentType),
    type: textOf(element.type),
    state: lower(element.state),
    rev: 0,
    published_at: Number.isFinite(element.publishedAt) ? element.publishedAt : 0, // seconds
    question: { text: textOf(element.question?.text) },
    answer_options: (element.answerOptions ?? []).map((option) => ({ text: textOf(option?.text) })),
    custom_fields: fieldsOf(element),
  };
}

/** The votes of an element, in option order; null while there are none to see. */
export function resultsOf({ element, final }) {
  if (!Array.isArray(element.results)) return null;
  return { votes: element.results.map((result) => result?.votes ?? null), final };
}

function fieldsOf({ fields, customFields }) {
  return { ...(fields ?? customFields) };
}

function textOf(value) {
  return typeof value === "string" ? value : "";
}

function lower(state) {
  return textOf(state).toLowerCase();
}

function sentence(error) {
  return error instanceof Error ? error.message : String(error);
}
