// The event stream and the orders. The stream is read with `fetch`, because an EventSource sends no token.

const tokenKey = "denoised-token";
let token = null;
try {
  token = sessionStorage.getItem(tokenKey);
} catch {
  // A browser may keep nothing; the token then lasts until the page is left.
}

export function setToken(text) {
  token = text || null;
  try {
    if (token) sessionStorage.setItem(tokenKey, token);
    else sessionStorage.removeItem(tokenKey);
  } catch {
    // As above.
  }
}

function headers(more = {}) {
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

// Calls `handle(name, data)` for each event of a stream of bytes, until it ends.
async function readEvents(body, handle) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    rest += value;
    let end;
    while ((end = rest.indexOf("\n\n")) >= 0) {
      const lines = rest.slice(0, end).split("\n");
      rest = rest.slice(end + 2);
      const name = lines.find((line) => line.startsWith("event: "))?.slice(7);
      const data = lines.find((line) => line.startsWith("data: "))?.slice(6);
      if (name && data) handle(name, JSON.parse(data));
    }
  }
}

// Keeps one stream open, of one robot at a time, and tells how that goes.
export class Connection {
  // `handle(name, data)` gets events; `tell(state, text)` is told "live", "waiting", "refused" or "token".
  constructor(handle, tell) {
    Object.assign(this, { handle, tell, robot: null, abort: null, wait: 0, timer: 0, lastEvent: 0 });
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    addEventListener("pagehide", () => this.close());
    setInterval(() => this.checkSilence(), 1000);
  }

  // Watches a robot, or with null none in particular.
  watch(robot) {
    this.robot = robot;
    this.wait = 0;
    this.open();
  }

  close() {
    clearTimeout(this.timer);
    this.abort?.abort();
    this.abort = null;
  }

  async open() {
    this.close();
    if (document.hidden) return;
    const abort = new AbortController();
    this.abort = abort;
    this.lastEvent = Date.now();
    const query = this.robot === null ? "" : `?robot=${encodeURIComponent(this.robot)}`;
    let text = "the daemon does not answer";
    try {
      const answer = await fetch(`/events${query}`, { headers: headers(), signal: abort.signal, cache: "no-store" });
      if (answer.ok) {
        this.wait = 0;
        await readEvents(answer.body, (name, data) => {
          if (abort !== this.abort) return;
          this.lastEvent = Date.now();
          this.tell("live", "live");
          this.handle(name, data);
        });
        text = "the daemon has ended the connection";
      } else {
        const reason = (await answer.text()).trim();
        if (answer.status === 401) {
          const wasWrong = token !== null;
          setToken(null);
          this.abort = null;
          return this.tell("token", wasWrong ? "the token is not the daemon's" : "");
        }
        if (answer.status === 403) return this.tell("refused", reason);
        text = reason;
      }
    } catch (error) {
      if (abort.signal.aborted && abort !== this.abort) return;
      console.debug(error);
    }
    if (abort !== this.abort) return;
    this.wait = Math.min(this.wait + 1, 5);
    this.tell("waiting", text);
    this.timer = setTimeout(() => this.open(), this.wait * 1000);
  }

  // A connection may be dead and not have ended.
  checkSilence() {
    if (!this.abort || Date.now() - this.lastEvent < 4000) return;
    this.tell("waiting", "nothing has come for 4 s");
    this.open();
  }
}

// Gives an order; `robot` null is every robot. Returns the answer, with `error` if it was not carried out.
export async function order(word, robot, seenStop = null) {
  const query = robot === null ? "robots=all" : `robot=${encodeURIComponent(robot)}`;
  const more = { "Denoised-Order": word };
  if (seenStop !== null) more["Denoised-Stop"] = seenStop;
  try {
    const answer = await fetch(`/orders/${word}?${query}`, {
      method: "POST",
      headers: headers(more),
      cache: "no-store",
      signal: AbortSignal.timeout(5000),
    });
    const text = await answer.text();
    if (answer.headers.get("Content-Type") === "application/json") return JSON.parse(text);
    return { error: `${answer.status}`, message: text.trim() };
  } catch {
    return { error: "silence", message: "the daemon has not answered" };
  }
}
