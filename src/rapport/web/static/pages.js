"use strict";

// All of this is comfort: without it, links and buttons do the same, a page at a time.

const zoned = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

function localTimes(root) {
  // A day's heading is in UTC: only where the viewer's day is the same is the time put into the viewer's zone.
  for (const time of root.querySelectorAll("time")) {
    const moment = new Date(time.dateTime);
    if (time.classList.contains("whole")) time.textContent = whole.format(moment);
    else if (moment.getDate() === moment.getUTCDate()) time.textContent = zoned.format(moment);
    else time.textContent += " UTC";
  }
}

async function part(url) {
  const answer = await fetch(url + (url.includes("?") ? "&" : "?") + "part=1", { headers: { accept: "text/html" } });
  if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
  return answer.text();
}

function loadOlder() {
  const timeline = document.getElementById("timeline");
  if (!timeline) return;
  let loading = false;
  const seen = new IntersectionObserver(async (entries) => {
    if (loading || !entries.some((entry) => entry.isIntersecting)) return;
    loading = true;
    const older = timeline.querySelector(".older");
    const link = older && older.querySelector("a");
    try {
      const html = await part(link.getAttribute("href"));
      const more = document.createElement("div");
      more.innerHTML = html;
      localTimes(more);
      seen.unobserve(older);
      const last = timeline.querySelector(".day:last-of-type");
      const first = more.querySelector(".day");
      if (last && first && last.querySelector("h2").textContent === first.querySelector("h2").textContent) {
        last.querySelector("ol").append(...first.querySelectorAll("li"));
        first.remove();
      }
      older.replaceWith(...more.childNodes);
      watch();
    } catch {
      // The link stays, and does the same.
      seen.disconnect();
    }
    loading = false;
  }, { rootMargin: "800px" });
  function watch() {
    const older = timeline.querySelector(".older");
    if (older) seen.observe(older);
  }
  watch();
}

function findAsOneTypes() {
  const field = document.getElementById("q");
  const found = document.getElementById("found");
  if (!field || !found) return;
  let asked = 0;
  field.addEventListener("input", async () => {
    const mine = ++asked;
    await new Promise((resolve) => setTimeout(resolve, 120));
    if (mine !== asked) return;
    try {
      const html = await part("/?q=" + encodeURIComponent(field.value));
      if (mine === asked) found.innerHTML = html;
    } catch {
      // Enter asks for the whole page.
    }
  });
  document.addEventListener("keydown", (event) => {
    const links = [...found.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "/" && document.activeElement !== field) {
      field.focus();
      field.select();
    } else if (event.key === "ArrowDown" && links.length && (at >= 0 || document.activeElement === field)) {
      links[Math.min(at + 1, links.length - 1)].focus();
    } else if (event.key === "ArrowUp" && at >= 0) {
      (at === 0 ? field : links[at - 1]).focus();
    } else if (event.key === "Enter" && document.activeElement === field && links.length) {
      links[0].click();
    } else return;
    event.preventDefault();
  });
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}

localTimes(document);
loadOlder();
findAsOneTypes();
