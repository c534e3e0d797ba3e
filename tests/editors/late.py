"""Make VS Code behave as on a slow machine: it receives the extension's messages late, and is never idle.

The extension's words come to the window over a socket. From a message on that names something they are held back, in
their order, until the test lets them through. What the window does when it is idle, or after five seconds at the
latest, waits for the test too.
"""

from playwright.sync_api import Page


class Late:
    """Holds back messages on one page, installed before it loads."""

    def __init__(self, page: Page) -> None:
        self._page = page
        page.add_init_script(_SCRIPT)

    def hold(self, name: str) -> None:
        """Hold back the first message with this name, and all after it."""
        self._page.evaluate("(name) => window.sparkLate.hold(name)", name)

    def holds(self) -> bool:
        """Whether that message has arrived."""
        return self._page.evaluate("() => window.sparkLate.holds()")

    def release(self) -> None:
        """Deliver all messages, one by one."""
        self._page.evaluate("() => window.sparkLate.release()")

    def idle(self) -> None:
        """Let the window run its idle tasks."""
        self._page.evaluate("() => window.sparkLate.idle()")


_SCRIPT = r"""(() => {
  const LATEST_MS = 5000;  // how long VS Code puts off what an editor does not need at once
  let named = null;
  let holding = null;  // the socket's own queue
  let putOff = [];
  const later = () => new Promise((resolve) => setTimeout(resolve));
  window.WebSocket = class extends window.WebSocket {
    addEventListener(kind, listener, ...options) {
      if (kind !== "message") return super.addEventListener(kind, listener, ...options);
      const queue = [];
      let last = Promise.resolve();
      const take = async (event) => {
        if (holding !== queue && named !== null && (await event.data.text()).includes(named)) holding = queue;
        if (holding === queue) queue.push(() => listener(event));
        else listener(event);
      };
      super.addEventListener(kind, (event) => (last = last.then(() => take(event))), ...options);
    }
  };
  const whenIdle = window.requestIdleCallback.bind(window);
  window.requestIdleCallback = (work, options) => {
    if (putOff === null || options?.timeout !== LATEST_MS) return whenIdle(work, options);
    return -putOff.push(work);  // nobody cancels it
  };
  window.sparkLate = {
    hold(name) { named = name; },
    holds() { return holding !== null; },
    async release() {
      named = null;
      while (holding?.length) {
        holding.shift()();
        await later();
      }
      holding = null;
    },
    idle() {
      const works = putOff;
      putOff = null;
      works.forEach((work) => work({ didTimeout: true, timeRemaining: () => 0 }));
    },
  };
})();"""
