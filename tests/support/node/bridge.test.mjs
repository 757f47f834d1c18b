// bridge.mjs by itself: a scripted SDK on one side, a scripted socket on the other. Run by
// tests/test_bridge_js.py; `node --test tests/support/node` does the same.

import assert from "node:assert/strict";
import { test } from "node:test";

import { FUNCTIONS, bridge, describe, resultsOf } from "../../../poll_counter/bridge/bridge.mjs";

/** A socket on which the test is the counter. */
class Socket {
  static all = [];
  readyState = 1;
  sent = [];

  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    Socket.all.push(this);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.readyState = 3;
    this.closedWith = code;
    this.onclose({ code });
  }

  async hears(message) {
    this.onmessage({ data: typeof message === "string" ? message : JSON.stringify(message) });
    await settled();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

/** An SDK whose callbacks the test calls. */
function scripted(elements = [], overrides = {}) {
  const event = { id: "show", name: "Friday", state: "Active", fields: { host: "Ada" } };
  const callbacks = new Map();
  const on = (what) => (subject, callback) => {
    const key = `${what} ${subject.id}`;
    callbacks.set(key, callback);
    return () => callbacks.delete(key);
  };
  const names = FUNCTIONS.filter((name) => name.startsWith("on"));
  const sdk = {
    answers: [],
    getEvent: async (id) => (id === "show" ? event : null),
    getElements: async () => elements,
    answer: (element, option) => void sdk.answers.push([element.id, option]),
    ...Object.fromEntries(names.map((name) => [name, on(name)])),
    ...overrides,
  };
  return { sdk, event, elements, callbacks };
}

/** Bridge a scripted SDK, and say hello. */
async function begun(t, { sdk }, problems = []) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const options = { url: "ws://counter", WebSocket: Socket, onProblem: (p) => problems.push(p) };
  const running = bridge(sdk, options);
  t.after(() => running.close());
  const socket = Socket.all.at(-1);
  await socket.hears({ type: "hello", event: "show", user: "bridge" });
  return { socket, running };
}

const poll = () => ({
  id: "poll",
  type: "poll",
  contentType: "hidden-poll",
  state: "opened",
  question: { text: "Who is in?" },
  answerOptions: [{ text: "1" }, { text: "2" }],
  results: null,
});

test("an element is told with what is known of it, and no more is made up", () => {
  assert.deepEqual(describe(poll()), {
    id: "poll",
    content_type: "hidden-poll",
    type: "poll",
    state: "opened",
    rev: 0,
    published_at: 0,
    question: { text: "Who is in?" },
    answer_options: [{ text: "1" }, { text: "2" }],
    custom_fields: {},
  });
  const bare = describe({ id: "x", state: "Closed", publishedAt: 12.5, fields: { a: 1 } });
  assert.equal(bare.state, "closed");
  assert.equal(bare.published_at, 12.5);
  assert.deepEqual(bare.custom_fields, { a: 1 });
  assert.deepEqual(bare.answer_options, []);
  assert.deepEqual(describe({ id: "x", customFields: { b: 2 } }).custom_fields, { b: 2 });
});

test("results are told in option order, once there are any", () => {
  assert.equal(resultsOf({ element: { results: null }, final: false }), null);
  assert.equal(resultsOf({ element: {}, final: false }), null);
  const results = [{ votes: 10, percentage: 20 }, { votes: 30 }, {}];
  assert.deepEqual(resultsOf({ element: { results }, final: true }), {
    votes: [10, 30, null],
    final: true,
  });
});

test("an SDK that lacks functions is refused at once, and each is named", () => {
  const { sdk } = scripted([], { answer: undefined, onEventState: 1 });
  assert.throws(() => bridge(sdk, { url: "ws://counter", WebSocket: Socket }), {
    message: "the SDK has no function answer, onEventState",
  });
  assert.throws(() => bridge(scripted().sdk, { url: "", WebSocket: Socket, configure: {} }), {
    message: "the SDK has no function configure",
  });
  assert.throws(() => bridge(scripted().sdk, { url: "", WebSocket: null }), {
    message: "there is no WebSocket here",
  });
});

test("a hello is answered with a snapshot", async (t) => {
  const closed = { id: "t", state: "closed", results: [{ votes: 3 }] };
  const { socket } = await begun(t, scripted([poll(), closed]));
  assert.deepEqual(socket.protocols, ["poll-counter.v1"]);
  const [welcome] = socket.sent;
  assert.equal(welcome.type, "welcome");
  const { name, state, fields } = welcome.event;
  assert.deepEqual([name, state, fields], ["Friday", "active", { host: "Ada" }]);
  assert.deepEqual(
    welcome.elements.map((element) => [element.id, element.results]),
    [
      ["poll", undefined],
      ["t", { votes: [3], final: true }],
    ],
  );
});

test("callbacks without a word, doubled, and in any order", async (t) => {
  const own = scripted([poll()]);
  const [held] = own.elements;
  const { socket } = await begun(t, own);
  const call = (what) => own.callbacks.get(what)();
  held.results = [{ votes: 1 }, { votes: 0 }];
  call("onElementResults poll");
  call("onElementResults poll");
  held.state = "closed";
  call("onElementStateChanged poll");
  call("onElementStateChanged poll");
  held.results = [{ votes: 2 }, { votes: 0 }];
  call("onElementResults poll");
  assert.deepEqual(
    socket.sent.slice(1).map(({ type, votes, final, element }) => [type, votes ?? element.state, final]),
    [
      ["results", [1, 0], false],
      ["element_updated", "closed", undefined],
      ["results", [2, 0], true],
    ],
  );
});

test("results before the state: those of a closed element are final, in whatever order", async (t) => {
  const own = scripted([poll()]);
  const [held] = own.elements;
  const { socket } = await begun(t, own);
  Object.assign(held, { state: "closed", results: [{ votes: 1 }, { votes: 0 }] });
  own.callbacks.get("onElementResults poll")();
  own.callbacks.get("onElementStateChanged poll")();
  assert.deepEqual(
    socket.sent.slice(1).map(({ type, final }) => [type, final]),
    [
      ["element_updated", undefined],
      ["results", true],
    ],
  );
});

test("elements come and go", async (t) => {
  const own = scripted([]);
  const { socket } = await begun(t, own);
  const published = own.callbacks.get("onElementPublished show");
  const revoked = own.callbacks.get("onElementRevoked show");
  const element = poll();
  published(element);
  published(element);
  revoked(element);
  revoked(element);
  revoked(undefined);
  assert.equal(own.callbacks.has("onElementResults poll"), false);
  published(element);
  assert.deepEqual(
    socket.sent.slice(1).map(({ type }) => type),
    ["element_published", "element_revoked", "element_published"],
  );
});

test("an element published without a word is found in the list", async (t) => {
  const own = scripted([]);
  const { socket } = await begun(t, own);
  own.elements.push(poll());
  own.callbacks.get("onElementPublished show")();
  t.mock.timers.tick(1000);
  await settled();
  assert.equal(socket.sent.at(-1).type, "element_published");
});

test("what comes or goes while the elements are read is in the snapshot", async (t) => {
  const own = scripted();
  let reads = 0;
  own.sdk.getElements = async () => {
    reads += 1;
    if (reads === 1) own.callbacks.get("onElementPublished show")(poll());
    if (reads === 2) own.callbacks.get("onElementRevoked show")(poll());
    return reads === 2 ? [poll()] : [];
  };
  const { socket } = await begun(t, own);
  assert.equal(reads, 3);
  assert.deepEqual(
    socket.sent.map(({ type, elements }) => [type, elements.length]),
    [["welcome", 0]],
  );
});

test("an object that took another's place is found, and listened to", async (t) => {
  const own = scripted([poll()]);
  const { socket } = await begun(t, own);
  own.elements[0] = { ...poll(), results: [{ votes: 1 }, { votes: 0 }] };
  own.callbacks.get("onElementResults poll")();
  assert.equal(socket.sent.length, 1);
  t.mock.timers.tick(1000);
  await settled();
  assert.deepEqual(socket.sent.at(-1).votes, [1, 0]);
  own.elements[0].results = [{ votes: 1 }, { votes: 5 }];
  own.callbacks.get("onElementResults poll")();
  assert.deepEqual(socket.sent.at(-1).votes, [1, 5]);
});

test("a list that cannot be read is told of", async (t) => {
  const own = scripted([poll()]);
  const problems = [];
  await begun(t, own, problems);
  own.sdk.getElements = () => Promise.reject(new Error("gone"));
  own.callbacks.get("onElementResults poll")();
  t.mock.timers.tick(1000);
  await settled();
  assert.deepEqual(problems, ["getElements() failed: gone"]);
});

test("the event is read again, too", async (t) => {
  const own = scripted([]);
  const { socket } = await begun(t, own);
  own.event.fields = { host: "Bob" };
  own.callbacks.get("onEventUpdated show")();
  own.event.state = "Finished";
  own.callbacks.get("onEventState show")();
  own.callbacks.get("onEventState show")();
  assert.deepEqual(socket.sent.slice(1), [
    { type: "event_updated", fields: { host: "Bob" }, rev: 0 },
    { type: "event_state", state: "finished", rev: 0 },
  ]);
});

test("of several events with one id the most recent is taken, where getEvent finds none", async (t) => {
  const own = scripted([]);
  const recent = { ...own.event, name: "the second" };
  own.sdk.getEvent = async () => null;
  own.sdk.getEvents = async () => [{ id: "another" }, recent, own.event];
  const { socket } = await begun(t, own);
  assert.equal(socket.sent[0].event.name, "the second");
});

test("an answer is given once; what the SDK says against it is a refusal", async (t) => {
  const own = scripted([poll()]);
  const problems = [];
  const { socket } = await begun(t, own, problems);
  const answer = { type: "answer", id: "1", element: "poll", options: [1] };
  await socket.hears(answer);
  assert.deepEqual(own.sdk.answers, [["poll", 1]]);
  own.sdk.answer = () => true;
  await socket.hears(answer);
  assert.equal(socket.sent.length, 1);
  own.sdk.answer = () => false;
  await socket.hears(answer);
  own.sdk.answer = () => Promise.reject("no");
  await socket.hears(answer);
  own.sdk.answer = () => {
    throw new Error("never");
  };
  await socket.hears(answer);
  await socket.hears({ ...answer, element: "another" });
  const refusals = socket.sent.filter(({ type }) => type === "answer_refused");
  assert.deepEqual(
    refusals.map(({ id, element, options, reason }) => [id, element, options, reason]),
    [
      ["1", "poll", [1], "not_allowed"],
      ["1", "poll", [1], "not_allowed"],
      ["1", "poll", [1], "not_allowed"],
      ["1", "another", [1], "unknown_element"],
    ],
  );
  assert.deepEqual(problems, [
    "answer() failed: it returned false",
    "answer() failed: no",
    "answer() failed: never",
  ]);
});

test("an event that is not there is told, and asked for again", async (t) => {
  const own = scripted([], { getEvent: async () => null });
  const problems = [];
  const { socket } = await begun(t, own, problems);
  assert.deepEqual(problems, ["the SDK knows no event show"]);
  assert.deepEqual(socket.sent, [
    { type: "error", code: "bridge", message: "the SDK knows no event show" },
  ]);
  assert.equal(socket.closedWith, 4500);
  t.mock.timers.tick(500);
  assert.notEqual(Socket.all.at(-1), socket);
});

test("a frame that is no JSON ends the connection; a message that is not known does not", async (t) => {
  const problems = [];
  const { socket } = await begun(t, scripted(), problems);
  await socket.hears({ type: "shrug" });
  assert.equal(socket.readyState, 1);
  await socket.hears("shrug");
  assert.equal(socket.closedWith, 4500);
  assert.equal(problems[0], 'a message of type "shrug" is not understood');
});

test("with a connection all that was heard is forgotten, and the next begins anew", async (t) => {
  const own = scripted([poll()]);
  const { socket } = await begun(t, own);
  assert.equal(own.callbacks.size, 6);
  socket.close(1006);
  assert.equal(own.callbacks.size, 0);
  t.mock.timers.tick(500);
  const next = Socket.all.at(-1);
  assert.notEqual(next, socket);
  await next.hears({ type: "hello", event: "show", user: "bridge" });
  assert.equal(next.sent[0].type, "welcome");
  assert.equal(own.callbacks.size, 6);
});

test("a bridge that is closed stays away", async (t) => {
  const { socket, running } = await begun(t, scripted());
  const before = Socket.all.length;
  running.close();
  t.mock.timers.tick(100_000);
  assert.equal(Socket.all.length, before);
  assert.equal(socket.closedWith, 1000);
});

test("closed elements that are not listed are noticed", async (t) => {
  const own = scripted([poll()]);
  const problems = [];
  await begun(t, own, problems);
  const [held] = own.elements;
  held.state = "closed";
  own.elements.length = 0;
  own.callbacks.get("onElementStateChanged poll")();
  t.mock.timers.tick(1000);
  await settled();
  assert.match(problems[0], /leaves closed elements out/);
});
