"use strict";

// New activities appear at the top of #live, as HTML from the server, while the tab is visible.

function startLiveFeed(list) {
  const maxItems = 50;
  const retryDelay = 10_000;
  let source = null;
  let timer = null;

  function add(html) {
    const template = document.createElement("template");
    template.innerHTML = html;
    list.prepend(template.content);
    while (list.children.length > maxItems) list.lastElementChild.remove();
  }

  function connect() {
    source = new EventSource("/live");
    source.addEventListener("activity", (event) => add(event.data));
    source.addEventListener("error", () => {
      // The browser reconnects after a disconnect, but not after a refusal: too many streams, or no session.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(reconnect, retryDelay);
    });
  }

  function reconnect() {
    clearTimeout(timer);
    if (source) source.close();
    source = null;
    if (!document.hidden) connect();
  }

  document.addEventListener("visibilitychange", reconnect);
  window.addEventListener("pagehide", () => source && source.close());
  reconnect();
}

if (document.getElementById("live")) startLiveFeed(document.getElementById("live"));
