"use strict";
// The page is built from the OpenAPI document. Text from the server is inserted as text, never as HTML.

const getById = (id) => document.getElementById(id);

function createElement(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

// Descriptions mark names with backticks.
const formatMarkdown = (text) =>
  text.split("`").map((part, index) => (index % 2 ? createElement("code", { textContent: part }) : part));

let openapi;
let current;

async function start() {
  openapi = await (await fetch("/schema/openapi.json")).json();
  const operations = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  for (const tag of new Set(operations.map(({ operation }) => operation.tags[0]))) {
    getById("operations").append(createElement("h2", { textContent: tag }));
    for (const entry of operations.filter(({ operation }) => operation.tags[0] === tag)) {
      entry.link = createElement("a", { href: `#${entry.operation.operationId}`, textContent: entry.operation.summary });
      getById("operations").append(entry.link);
    }
  }
  const select = () => {
    const selected = operations.find(({ operation }) => `#${operation.operationId}` === location.hash);
    show(selected ?? operations[0], operations);
  };
  addEventListener("hashchange", select);
  select();
}

function show(entry, operations) {
  current = entry;
  for (const { link } of operations) link.removeAttribute("aria-current");
  entry.link.setAttribute("aria-current", "page");
  const { path, method, operation } = entry;
  getById("method").textContent = method.toUpperCase();
  getById("path").textContent = path;
  getById("description").replaceChildren(...formatMarkdown(operation.description ?? operation.summary));
  const security = operation.security ?? [];
  const scopes = security.flatMap((entry) => Object.values(entry).flat());
  getById("permissions").textContent = scopes.length
    ? `Requires a token with the scope ${scopes.join(", ")}.`
    : security.length ? "Requires a token with any scope." : "No token required.";
  getById("parameters").replaceChildren(
    ...(operation.parameters ?? []).map(field),
    ...(operation.requestBody ? bodyFields(operation.requestBody.content) : []));
  getById("response").hidden = true;
}

function field(parameter) {
  const { name, schema, description } = parameter;
  const hint = createElement("small", {}, parameter.required ? "Required. " : "", ...formatMarkdown(description));
  if (schema.type === "array") {
    const first = current.operation.parameters.find((other) => other.schema.type === "array") === parameter;
    const choices = schema.items.enum.map((choice) => createElement("label", {},
      createElement("input", { type: "checkbox", name, value: choice, checked: first && parameter.example.includes(choice) }),
      ` ${choice}`));
    return createElement("div", { className: "parameter" }, createElement("span", { className: "name", textContent: name }),
      createElement("div", { className: "choices" }, ...choices), hint);
  }
  let input;
  if (schema.type === "boolean") {
    input = createElement("select", { name }, createElement("option", { value: "", textContent: "" }),
      createElement("option", { value: "true", textContent: "true" }), createElement("option", { value: "false", textContent: "false" }));
  } else {
    input = createElement("input", { name, placeholder: parameter.example ?? "", required: Boolean(parameter.required) });
  }
  input.id = `parameter-${name}`;
  // Links to this page can set parameters, such as contact_id.
  input.value = new URLSearchParams(location.search).get(name) ?? "";
  return createElement("div", { className: "parameter" },
    createElement("label", { htmlFor: input.id, textContent: name }), input, hint);
}

function bodyFields(content) {
  const text = createElement("textarea", { name: "body", id: "parameter-body", spellcheck: false });
  const contentType = createElement("select", { name: "content-type", id: "parameter-content-type" },
    ...Object.keys(content).map((type) => createElement("option", { value: type, textContent: type })));
  const fill = () => {
    const { example } = content[contentType.value];
    text.value = typeof example === "string" ? example : JSON.stringify(example, null, 2);
  };
  contentType.addEventListener("change", fill);
  fill();
  return [[contentType, "Content-Type"], [text, "body"]].map(([input, name]) =>
    createElement("div", { className: "parameter" }, createElement("label", { htmlFor: input.id, textContent: name }), input));
}

function buildRequest() {
  let path = current.path;
  const query = new URLSearchParams();
  const headers = {};
  const form = new FormData(getById("request"));
  for (const { name, in: location } of current.operation.parameters ?? []) {
    for (const value of form.getAll(name).filter((value) => value !== "")) {
      if (location === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
      else if (location === "header") headers[name] = value;
      else query.append(name, value);
    }
  }
  return { url: query.size ? `${path}?${query}` : path, body: form.get("body"), type: form.get("content-type"), headers };
}

const quoteForShell = (text) => `'${text.replaceAll("'", "'\\''")}'`;

// A stream has no end, so show its first ten seconds as they arrive.
async function readStream(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  setTimeout(() => reader.cancel(), 10_000);
  let text = "";
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    text += chunk.value;
    getById("body").textContent = text;
    getById("response").hidden = false;
  }
  return text;
}

// The session's own token is only kept in memory, while this page is open and the token is valid.
const own = { token: "", until: 0 };
const RENEW_BEFORE = 30_000;

async function sessionToken() {
  const { pageToken, formToken } = getById("token").dataset;
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

async function send({ url, body, type, headers: parameters = {} }) {
  const needsToken = (current.operation.security ?? []).length > 0;
  const token = getById("token").value.trim() || (needsToken ? await sessionToken() : "");
  const headers = { ...parameters };
  if (token) headers.authorization = `Bearer ${token}`;
  if (type) headers["content-type"] = type;
  const started = performance.now();
  const method = current.method.toUpperCase();
  const response = await fetch(url, { method, headers, body: body ?? undefined, cache: "no-store" });
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  const text = await (isStream ? readStream(response) : response.text());
  const milliseconds = Math.round(performance.now() - started);

  getById("curl").textContent = ["curl -s", method === "GET" ? "" : `-X ${method}`,
    token ? `-H "Authorization: Bearer $TOKEN"` : "", type ? `-H ${quoteForShell(`Content-Type: ${type}`)}` : "",
    ...Object.entries(parameters).map(([name, value]) => `-H ${quoteForShell(`${name}: ${value}`)}`),
    body ? `--data-binary ${quoteForShell(body)}` : "", quoteForShell(new URL(url, location.href).href)].filter(Boolean).join(" ");
  getById("status").textContent = `${response.status}, ${milliseconds} ms, request ${response.headers.get("x-request-id")}`;
  getById("status").className = response.ok ? "" : "bad";
  let next;
  try {
    const parsed = JSON.parse(text);
    getById("body").textContent = JSON.stringify(parsed, null, 2);
    next = parsed?._links?.next?.href;
  } catch {
    getById("body").textContent = text;
  }
  getById("next").hidden = !next;
  getById("next").onclick = () => send({ url: next });
  getById("response").hidden = false;
}

getById("request").addEventListener("submit", (event) => {
  event.preventDefault();
  send(buildRequest()).catch((error) => {
    getById("status").textContent = `no response: ${error.message}`;
    getById("status").className = "bad";
    getById("body").textContent = "";
    getById("response").hidden = false;
  });
});

start();
