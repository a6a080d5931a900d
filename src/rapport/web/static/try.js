"use strict";
// The page is made from the published description alone. Whatever comes from a server is put in as text, never as HTML.

const at = (id) => document.getElementById(id);

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// The description marks names with backticks.
const marked = (text) =>
  text.split("`").map((part, index) => (index % 2 ? make("code", { textContent: part }) : part));

let description;
let shown;

async function start() {
  description = await (await fetch("/schema/openapi.json")).json();
  const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  for (const tag of new Set(operations.map(({ operation }) => operation.tags[0]))) {
    at("operations").append(make("h2", { textContent: tag }));
    for (const entry of operations.filter(({ operation }) => operation.tags[0] === tag)) {
      entry.link = make("a", { href: `#${entry.operation.operationId}`, textContent: entry.operation.summary });
      at("operations").append(entry.link);
    }
  }
  const choose = () => {
    const named = operations.find(({ operation }) => `#${operation.operationId}` === location.hash);
    show(named ?? operations[0], operations);
  };
  addEventListener("hashchange", choose);
  choose();
}

function show(entry, operations) {
  shown = entry;
  for (const { link } of operations) link.removeAttribute("aria-current");
  entry.link.setAttribute("aria-current", "page");
  const { path, method, operation } = entry;
  at("method").textContent = method.toUpperCase();
  at("path").textContent = path;
  at("meaning").replaceChildren(...marked(operation.description ?? operation.summary));
  const scopes = (operation.security ?? []).flatMap((security) => Object.values(security).flat());
  at("needs").textContent = scopes.length ? `Needs a token with the scope ${scopes.join(", ")}.` : "Needs no token.";
  at("parameters").replaceChildren(
    ...(operation.parameters ?? []).map(field),
    ...(operation.requestBody ? bodyFields(operation.requestBody.content) : []));
  at("answer").hidden = true;
}

function field(parameter) {
  const { name, schema, description: meaning } = parameter;
  const hint = make("small", {}, parameter.required ? "Required. " : "", ...marked(meaning));
  if (schema.type === "array") {
    const first = shown.operation.parameters.find((other) => other.schema.type === "array") === parameter;
    const choices = schema.items.enum.map((choice) => make("label", {},
      make("input", { type: "checkbox", name, value: choice, checked: first && parameter.example.includes(choice) }),
      ` ${choice}`));
    return make("div", { className: "parameter" }, make("span", { className: "name", textContent: name }),
      make("div", { className: "choices" }, ...choices), hint);
  }
  let input;
  if (schema.type === "boolean") {
    input = make("select", { name }, make("option", { value: "", textContent: "" }),
      make("option", { value: "true", textContent: "true" }), make("option", { value: "false", textContent: "false" }));
  } else {
    input = make("input", { name, placeholder: parameter.example ?? "", required: Boolean(parameter.required) });
  }
  input.id = `parameter-${name}`;
  // A link to this page may name the contact that is meant.
  input.value = new URLSearchParams(location.search).get(name) ?? "";
  return make("div", { className: "parameter" },
    make("label", { htmlFor: input.id, textContent: name }), input, hint);
}

function bodyFields(content) {
  const text = make("textarea", { name: "body", id: "parameter-body", spellcheck: false });
  const kind = make("select", { name: "content-type", id: "parameter-kind" },
    ...Object.keys(content).map((type) => make("option", { value: type, textContent: type })));
  const fill = () => {
    const { example } = content[kind.value];
    text.value = typeof example === "string" ? example : JSON.stringify(example, null, 2);
  };
  kind.addEventListener("change", fill);
  fill();
  return [[kind, "Content-Type"], [text, "body"]].map(([input, name]) =>
    make("div", { className: "parameter" }, make("label", { htmlFor: input.id, textContent: name }), input));
}

function wanted() {
  let path = shown.path;
  const query = new URLSearchParams();
  const sent = {};
  const form = new FormData(at("request"));
  for (const { name, in: place } of shown.operation.parameters ?? []) {
    for (const value of form.getAll(name).filter((value) => value !== "")) {
      if (place === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
      else if (place === "header") sent[name] = value;
      else query.append(name, value);
    }
  }
  return { url: query.size ? `${path}?${query}` : path, body: form.get("body"), type: form.get("content-type"), sent };
}

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// A stream has no end: what it says in its first ten seconds, as it says it.
async function heard(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  setTimeout(() => reader.cancel(), 10_000);
  let text = "";
  for (let said = await reader.read(); !said.done; said = await reader.read()) {
    text += said.value;
    at("body").textContent = text;
    at("answer").hidden = false;
  }
  return text;
}

// The session's own token, kept here only: for as long as this page is open, and no longer than it is valid.
const own = { token: "", until: 0 };
const RENEW_BEFORE = 30_000;

async function sessionToken() {
  const { pageToken, formToken } = at("token").dataset;
  if (!pageToken) return "";
  if (Date.now() < own.until - RENEW_BEFORE) return own.token;
  const response = await fetch(pageToken, { method: "POST", body: new URLSearchParams({ form_token: formToken }), cache: "no-store" });
  if (response.redirected) {
    location.assign(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
    throw new Error("you are no longer signed in");
  }
  if (!response.ok) throw new Error(`the session's token was refused with ${response.status}; reload the page`);
  const { token, expires_in: seconds } = await response.json();
  Object.assign(own, { token, until: Date.now() + seconds * 1_000 });
  return token;
}

async function send({ url, body, type, sent = {} }) {
  const needsToken = (shown.operation.security ?? []).length > 0;
  const token = at("token").value.trim() || (needsToken ? await sessionToken() : "");
  const headers = { ...sent };
  if (token) headers.authorization = `Bearer ${token}`;
  if (type) headers["content-type"] = type;
  const began = performance.now();
  const method = shown.method.toUpperCase();
  const answer = await fetch(url, { method, headers, body: body ?? undefined, cache: "no-store" });
  const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream");
  const text = await (isStream ? heard(answer) : answer.text());
  const took = Math.round(performance.now() - began);

  at("curl").textContent = ["curl -s", method === "GET" ? "" : `-X ${method}`,
    token ? `-H "Authorization: Bearer $TOKEN"` : "", type ? `-H ${quoted(`Content-Type: ${type}`)}` : "",
    ...Object.entries(sent).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    body ? `--data-binary ${quoted(body)}` : "", quoted(new URL(url, location.href).href)].filter(Boolean).join(" ");
  at("status").textContent = `${answer.status}, ${took} ms, request ${answer.headers.get("x-request-id")}`;
  at("status").className = answer.ok ? "" : "bad";
  let next;
  try {
    const parsed = JSON.parse(text);
    at("body").textContent = JSON.stringify(parsed, null, 2);
    next = parsed?._links?.next?.href;
  } catch {
    at("body").textContent = text;
  }
  at("next").hidden = !next;
  at("next").onclick = () => send({ url: next });
  at("answer").hidden = false;
}

at("request").addEventListener("submit", (event) => {
  event.preventDefault();
  send(wanted()).catch((problem) => {
    at("status").textContent = `no response: ${problem.message}`;
    at("status").className = "bad";
    at("body").textContent = "";
    at("answer").hidden = false;
  });
});

start();
