"use strict";

// Enhancements only: links, forms and buttons work without JavaScript.

function storeZone() {
  // The server uses the time zone in this cookie. Reload a page that was rendered without it.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const isStored = () => document.cookie.split("; ").includes(`rapport_zone=${zone}`);
  if (!zone || isStored()) return;
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = `rapport_zone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;
  const shown = document.documentElement.dataset.zone;
  if (isStored() && shown && shown !== zone) location.reload();
}

function isTyping(element) {
  return element.matches("input, textarea, select, [contenteditable]");
}

function handleKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const field = document.getElementById("q");
  const active = document.activeElement;
  if (event.key === "/" && (!isTyping(active) || (active === field && !field.value))) {
    event.preventDefault();
    if (field) field.select();
    else location.assign("/");
    return;
  }
  const results = document.getElementById("results");
  if (!field || !results) return;
  const links = [...results.querySelectorAll("a")];
  const index = links.indexOf(active);
  if (event.key === "ArrowDown" && links.length && (index >= 0 || active === field)) {
    links[Math.min(index + 1, links.length - 1)].focus();
  } else if (event.key === "ArrowUp" && index >= 0) {
    (index === 0 ? field : links[index - 1]).focus();
  } else if (event.key === "Enter" && active === field && links.length && isCurrent(results, field.value)) {
    links[0].click();
  } else return;
  event.preventDefault();
}

function isCurrent(results, query) {
  // Results for an earlier query may still be shown to users who type fast.
  const shown = results.querySelector("[data-query]");
  return shown && shown.dataset.query === query.trim();
}

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent.trim());
    button.textContent = "Copied";
  } catch {
    // Only secure origins may write to the clipboard, so select the text instead.
    getSelection().selectAllChildren(source);
  }
}

storeZone();
document.addEventListener("keydown", handleKey);
document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});
// A second click would submit the form again, and replace the response to the first.
document.addEventListener("submit", (event) => {
  if (event.target.method === "post") setTimeout(() => { for (const button of event.target.querySelectorAll("button")) button.disabled = true; });
});
// Browsers may restore a page with disabled buttons.
window.addEventListener("pageshow", () => {
  for (const button of document.querySelectorAll("form[method=post] button")) button.disabled = false;
});
for (const name of ["htmx:sendError", "htmx:responseError"]) {
  document.addEventListener(name, (event) => {
    const message = document.createElement("p");
    message.className = "error";
    message.setAttribute("role", "alert");
    message.textContent = "The server is unavailable. Try again shortly.";
    const results = document.getElementById("results");
    if (results) results.replaceChildren(message);
    else event.detail.elt.after(message);
  });
}
document.addEventListener("htmx:configRequest", (event) => {
  // Keep empty fields out of the URL.
  const form = event.detail.formData;
  if (event.detail.elt.id === "filter") for (const name of ["after", "before"]) if (!form.get(name)) form.delete(name);
});
