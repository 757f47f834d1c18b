// The host's column: the steps of a show, the poll as it was made, and what is wrong with it.

import { DASH, attribute, byId, make, number, text } from "./dom.js";

const steps = [...document.querySelectorAll("[data-action]")];
const findings = byId("findings");
const trivia = byId("trivia");
const said = byId("said");
let shown = "";
let sent = 0;

/** Say what became of a button, or what broke off. */
export function say({ told, refused }) {
  text(said, refused ?? told ?? "");
  said.classList.toggle("refused", refused !== undefined);
}

export function wire(press) {
  for (const button of steps) {
    button.addEventListener("click", async () => {
      const mine = ++sent;
      const answer = await press(button.dataset.action);
      if (mine === sent) say(answer);
    });
  }
}

export function render({ host, event }) {
  const { open_trivia: open, next_trivia: next, poll } = host;
  const isOpen = open !== null;
  trivia.dataset.action = isOpen ? "close_trivia" : "publish_trivia";
  text(byId("trivia-label"), isOpen ? `Close trivia ${open}` : `Publish trivia ${next ?? DASH}`);
  const replaces = poll?.state === "opened" && event.state === "active";
  text(byId("poll-label"), replaces ? "Replace the hidden poll" : "Publish the hidden poll");
  for (const button of steps) {
    button.classList.toggle("next", button.dataset.action === host.next);
  }
  made(poll);
  check(host.findings);
}

function made(poll) {
  const value = (name, words) => text(byId(`made-${name}`), poll === null ? DASH : words(poll));
  text(byId("made-state"), poll === null ? "not made" : poll.state);
  value("spread", (p) => `${p.spread_s} s`);
  value("rate", (p) => `${+(100 * p.sample_rate).toPrecision(3)} %`);
  value("options", (p) => number(p.options));
  value("user", (p) => number(p.votes_per_user));
  value("option", (p) => number(p.votes_per_option));
}

function check(found) {
  const told = JSON.stringify(found);
  if (told === shown) return;
  shown = told;
  const items = found.map(({ severity, reason, mend }) => {
    const item = make("li", severity);
    item.append(make("b", "", severity === "error" ? "Error. " : "Warning. "), `${reason} ${mend}`);
    return item;
  });
  findings.replaceChildren(
    ...(items.length ? items : [make("li", "fine", "Nothing would spoil the count.")]),
  );
  attribute(findings.parentElement, "data-worst", found[0]?.severity ?? "fine");
}
