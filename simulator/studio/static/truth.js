// The truth beside the count: figures, votes over time, and a bar for every round.

import { DASH, attribute, byId, make, number, property, range, short, text } from "./dom.js";

const PER_SECOND = 4; // buckets
const WIDTH = 480;
const HEIGHT = 60;
const rows = [];

/** The end of a scale: a round number that is not below, so that it rarely changes. */
function scale(most) {
  const tens = 10 ** Math.max(1, Math.floor(Math.log10(Math.max(most, 1))));
  return tens * [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].find((step) => step * tens >= most);
}

function row(round) {
  const line = make("tr");
  const head = make("th", "", String(round));
  head.scope = "row";
  const bar = make("td", "bars");
  const track = make("div", "track");
  attribute(track, "aria-hidden", "true");
  const parts = ["may", "must", "reach", "counted"].map((name) => make("i", name));
  track.append(...parts);
  bar.append(track);
  const cells = ["n", "n strong", "n interval", "verdict"].map((name) => make("td", name, DASH));
  line.append(head, bar, ...cells);
  byId("rounds").append(line);
  return { line, track, cells };
}

export function render({ truth, host }) {
  while (rows.length < host.rounds) rows.push(row(rows.length + 1));
  const over = truth.over_time;
  text(byId("connected"), number(truth.connected));
  text(byId("rate"), number(over.slice(-PER_SECOND).reduce((sum, votes) => sum + votes, 0)));
  text(byId("votes"), number(truth.votes));
  const fresh = truth.freshness_ms;
  text(byId("fresh"), fresh === null ? DASH : `${number(fresh.p50)} / ${number(fresh.p99)} ms`);
  spark(over);
  const most = scale(Math.max(...truth.rounds.map((each) => Math.max(each.may, each.players ?? 0)), 1));
  rows.forEach(({ line, track, cells }, place) => {
    const told = truth.rounds[place];
    attribute(line, "aria-current", told && place === truth.rounds.length - 1 ? "true" : null);
    line.classList.toggle("coming", told === undefined);
    const [bounds, count, interval, verdict] = cells;
    if (told === undefined) {
      cells.forEach((cell) => text(cell, DASH));
      for (const name of ["may", "must", "counted", "low", "high"]) property(track, `--${name}`, 0);
      attribute(track, "data-counted", null);
      attribute(verdict, "data-kind", null);
      return;
    }
    const { must, may, players, low, high } = told;
    text(bounds, range(must, may));
    text(count, number(players));
    text(interval, high === null ? DASH : range(low, high));
    const [kind, words] = judged(told);
    text(verdict, words);
    attribute(verdict, "data-kind", kind);
    const share = (value) => (Math.min(value ?? 0, most) / most).toFixed(4);
    property(track, "--must", share(must));
    property(track, "--may", share(may));
    property(track, "--counted", share(players));
    property(track, "--low", share(low));
    property(track, "--high", share(high ?? low));
    attribute(track, "data-counted", players === null ? null : "");
  });
}

function judged({ must, may, players, off_by: off }) {
  if (off === null) return players === null ? ["open", "no count"] : ["open", "counting"];
  if (off !== 0) return ["wrong", `off by ${off > 0 ? "+" : "\u2212"}${short(Math.abs(off))}`];
  return ["right", must === may && players === may ? "\u2713 exact" : "\u2713 in bounds"];
}

function spark(over) {
  const most = Math.max(...over);
  const top = scale(most);
  const step = WIDTH / over.length;
  let path = `M0 ${HEIGHT}`;
  over.forEach((votes, place) => {
    const y = (HEIGHT - (HEIGHT - 2) * (votes / top)).toFixed(1);
    path += `V${y}H${((place + 1) * step).toFixed(0)}`;
  });
  attribute(byId("spark"), "d", `${path}V${HEIGHT}z`);
  text(byId("spark-most"), `peak ${number(most)} in 0.25 s`);
}
