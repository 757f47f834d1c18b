// The studio's page: what is told four times a second is drawn, and buttons are sent.

import * as crowd from "./crowd.js";
import { byId, plural, text } from "./dom.js";
import { follow, press } from "./frames.js";
import * as host from "./host.js";
import * as keys from "./keys.js";
import * as phone from "./phone.js";
import * as truth from "./truth.js";

const parts = [host, phone, truth, crowd];
const link = byId("link");
let studio = "";
let trouble = "";
let announced = "";
let wasLost = false;
let anew = false; // this frame is the first of another studio

function onFrame(frame) {
  anew = studio !== "" && studio !== frame.studio;
  if (anew) {
    host.say({ told: "The studio was started anew: this is a new show, and the crowd is gone." });
  }
  studio = frame.studio;
  if (frame.host.trouble !== trouble) {
    trouble = frame.host.trouble;
    if (trouble) host.say({ refused: trouble });
  }
  text(byId("show"), `${frame.event.name}: ${frame.event.state}`);
  byId("show").dataset.state = frame.event.state;
  text(byId("round"), `round ${Math.min(frame.host.round, frame.host.rounds)} of ${frame.host.rounds}`);
  for (const part of parts) part.render(frame);
  announce(frame);
  document.documentElement.dataset.frame = frame.number;
}

/** Tell screen readers when something has happened, not whenever a number has changed. */
function announce({ event, host: { open_trivia: open, round }, phone: { count } }) {
  const settled = count?.settled && count.players !== null;
  const here = [event.id, event.state, round, open, settled].join();
  if (here === announced) return;
  announced = here;
  const players = settled ? ` ${plural(count.players, "player")} in round ${count.round}.` : "";
  const told = {
    upcoming: "The event has not begun.",
    active: open === null ? `Round ${round} waits.` : `Trivia ${open} is open.`,
    finished: "The event is over.",
  };
  text(byId("announce"), told[event.state] + players);
}

function onLink(state, why) {
  const lost = state === "lost";
  text(link, lost ? "lost" : "live");
  link.dataset.state = state;
  if (lost) {
    host.say({ refused: why ?? "The connection to the studio is lost. Trying again every second." });
  } else if (wasLost && !anew) {
    host.say({ told: "The connection to the studio is back, and the show where it was." });
  }
  wasLost = lost;
}

for (const part of [host, crowd]) part.wire(press, host.say);
keys.wire();
follow(onFrame, onLink);
