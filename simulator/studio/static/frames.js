// The frames that the studio sends, four a second; a connection that is lost is made again.

const AGAIN_MS = 1000;
const SILENT_MS = 5000;

/**
 * Follow the studio for ever.
 * @param {(frame: object) => void} onFrame takes each frame.
 * @param {(state: "live" | "lost", why?: string) => void} onLink is told when the link changes.
 */
export function follow(onFrame, onLink) {
  let source = null;
  let state = "";
  let silence = 0;

  const tell = (now, why) => {
    if (now !== state) onLink((state = now), why);
  };
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => lost(), SILENT_MS); // the machine slept, or the studio stands still
  };
  const lost = (why) => {
    clearTimeout(silence);
    source?.close();
    tell("lost", why);
    setTimeout(connect, AGAIN_MS);
  };
  function connect() {
    const mine = (source = new EventSource("/frames"));
    mine.onmessage = (message) => {
      if (mine !== source) return;
      heard();
      onFrame(JSON.parse(message.data));
      tell("live");
    };
    mine.addEventListener("refused", (message) => lost(JSON.parse(message.data)));
    mine.onerror = () => {
      if (mine === source) lost();
    };
    heard();
  }
  connect();
}

let before = Promise.resolve();

/**
 * Press a button of the studio, when the one before is answered.
 * @returns {Promise<{told?: string, refused?: string}>} a sentence, whatever happens.
 */
export function press(name, body = {}) {
  return (before = before.then(() => send(name, body)));
}

async function send(name, body) {
  try {
    const answer = await fetch(`/actions/${name}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    return await answer.json();
  } catch {
    return { refused: "The studio does not answer. Is it still running in its terminal?" };
  }
}
