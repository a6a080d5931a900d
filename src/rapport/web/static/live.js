"use strict";

// What is recorded appears at the top of #live, made by the server; a tab that nobody looks at hears nothing.

function live(list) {
  const most = 50;
  const again = 10_000;
  let source = null;
  let timer = null;

  function add(html) {
    const part = document.createElement("template");
    part.innerHTML = html;
    list.prepend(part.content);
    while (list.children.length > most) list.lastElementChild.remove();
  }

  function listen() {
    source = new EventSource("/live");
    source.addEventListener("activity", (event) => add(event.data));
    source.addEventListener("error", () => {
      // A stream that was cut off comes back by itself. One that was refused doesn't: too many listen, or the session is over.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(look, again);
    });
  }

  function look() {
    clearTimeout(timer);
    if (source) source.close();
    source = null;
    if (!document.hidden) listen();
  }

  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", () => source && source.close());
  look();
}

if (document.getElementById("live")) live(document.getElementById("live"));
