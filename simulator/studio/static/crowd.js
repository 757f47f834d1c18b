// The crowd: who comes and goes, what befalls them, and what holds for the next poll.

import { attribute, byId, number, plural, text } from "./dom.js";

const HOSTILE = 8;
const DROPPED = 0.3;
const many = byId("many");
const settings = ["spread_s", "sample_rate", "trivia_s"].map(byId);
const autoplay = byId("autoplay");
const slow = document.querySelector("[data-trouble=slow]");
const hostile = document.querySelector("[data-trouble=hostile]");
let attach = "";

const isPressed = (button) => button.getAttribute("aria-pressed") === "true";

export function wire(press, say) {
  const send = async (name, body) => say(await press(name, body));
  for (const button of document.querySelectorAll("[data-crowd]")) {
    button.addEventListener("click", () => send(button.dataset.crowd, { players: many.valueAsNumber }));
  }
  const troubles = {
    drop: () => send("drop", { share: DROPPED }),
    slow: () => send("slow", { on: !isPressed(slow) }),
    hostile: () => send("hostile", { peers: isPressed(hostile) ? 0 : HOSTILE }),
  };
  for (const button of document.querySelectorAll("[data-trouble]")) {
    button.addEventListener("click", troubles[button.dataset.trouble]);
  }
  autoplay.addEventListener("click", () => send("autoplay", { on: !isPressed(autoplay) }));
  for (const input of settings) {
    input.addEventListener("change", () =>
      send("settings", Object.fromEntries(settings.map((each) => [each.id, each.valueAsNumber]))),
    );
  }
  byId("copy").addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(attach);
      say({ told: "Copied. Paste it into another terminal." });
    } catch {
      getSelection().selectAllChildren(byId("attach"));
      say({ told: "Selected: copy it with the keyboard." });
    }
  });
}

export function render({ crowd, truth, host, event, live_url: url }) {
  const elsewhere = Math.max(0, truth.connected - crowd.connected - crowd.hostile - 1);
  const parts = [`${plural(crowd.players, "player")} in this process, ${number(crowd.connected)} connected`];
  if (elsewhere) parts.push(`${number(elsewhere)} from elsewhere`);
  if (crowd.waits) parts.push(`${number(crowd.waits)} will be late`);
  if (crowd.hostile) parts.push(`${number(crowd.hostile)} hostile`);
  text(byId("crowd-sum"), parts.join(", "));
  attribute(many, "max", crowd.most);
  attribute(slow, "aria-pressed", crowd.slow);
  attribute(hostile, "aria-pressed", crowd.hostile > 0);
  attribute(autoplay, "aria-pressed", host.autoplay);
  for (const input of settings) {
    const value = String(host.settings[input.id]);
    if (document.activeElement !== input && input.value !== value) input.value = value;
  }
  attach = `python -m simulator crowd ${url} --event ${event.id} --players 300`;
  text(byId("attach"), attach);
}
