// The phone: what one player sees, as its PollCounter says it.

import { DASH, byId, number, property, text } from "./dom.js";

const HEADLINES = {
  offline: ["Connecting", "The app finds its way back by itself."],
  upcoming: ["The show begins soon", "Stay here."],
  ending: ["That was the show", "Thank you for playing."],
  finished: ["That was the show", "Thank you for playing."],
};
const options = [...byId("options").children];

export function render({ phone, host }) {
  const { state, trivia, count } = phone;
  const online = state !== "offline";
  text(byId("phone-link"), online ? "live" : "offline");
  byId("phone-link").classList.toggle("on", online);
  text(byId("phone-round"), `Round ${Math.min(Math.max(phone.round, 1), host.rounds)} of ${host.rounds}`);

  const plays = trivia !== null && online;
  byId("phone-wait").hidden = plays;
  byId("phone-play").hidden = !plays;
  if (plays) play(trivia);
  const [title, line] = HEADLINES[state] ?? [
    phone.round > host.rounds ? "No more trivia" : `Trivia ${phone.round} is next`,
    phone.round > host.rounds ? "The results are coming." : "Get ready.",
  ];
  text(byId("phone-title-line"), title);
  text(byId("phone-line"), line);
  players(count);
}

function play(trivia) {
  text(byId("question"), trivia.question);
  options.forEach((item, place) => text(item, trivia.options[place] ?? ""));
  const left = trivia.left_s ?? 0;
  text(byId("countdown"), trivia.left_s === null ? DASH : String(Math.ceil(left)));
  property(byId("countdown-bar"), "--left", trivia.of_s ? (left / trivia.of_s).toFixed(3) : 0);
}

function players(count) {
  const known = count !== null && count.players !== null;
  text(byId("players"), known ? number(count.players) : DASH);
  text(byId("players-line"), count?.players === 1 ? "player is in" : "players are in");
  const sampled = known && count.sampled && count.high !== null;
  text(
    byId("players-note"),
    sampled ? `about: ${number(count.low)} to ${number(count.high)}` : known ? "" : "not counted yet",
  );
}
