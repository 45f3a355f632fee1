// Renders /openapi.json. Nothing is fetched from anywhere else, and texts never become markup.

const METHODS = ["get", "post", "put", "patch", "delete"];

function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

function resolve(api, thing) {
  if (!thing?.$ref) return thing;
  return thing.$ref.slice(2).split("/").reduce((at, key) => at[key.replaceAll("~1", "/")], api);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function field(id, parameter) {
  const label = make("label", { for: id }, `${parameter.name} (${parameter.in}${parameter.required ? ", required" : ""})`);
  const input = make("input", { id, spellcheck: "false", autocomplete: "off" });
  if (parameter.description) input.title = parameter.description;
  if (parameter.schema?.default !== undefined) input.placeholder = String(parameter.schema.default);
  return { parameter, input, nodes: [label, input] };
}

function target(path, fields) {
  const query = new URLSearchParams();
  let filled = path;
  for (const { parameter, input } of fields) {
    if (parameter.in === "path") filled = filled.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (parameter.in === "query" && input.value !== "") query.append(parameter.name, input.value);
  }
  return query.size ? `${filled}?${query}` : filled;
}

function headers(fields, hasBody) {
  const sent = new Headers();
  const token = document.getElementById("token").value.trim();
  if (token) sent.set("Authorization", `Bearer ${token}`);
  if (hasBody) sent.set("Content-Type", "application/json");
  for (const { parameter, input } of fields) {
    if (parameter.in === "header" && input.value !== "") sent.set(parameter.name, input.value);
  }
  return sent;
}

async function attempt(method, path, fields, body, output) {
  output.textContent = "…";
  try {
    const answer = await fetch(target(path, fields), {
      method: method.toUpperCase(),
      headers: headers(fields, body !== null),
      body: body?.value,
      cache: "no-store",
    });
    const shown = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
    output.textContent = `${answer.status} ${answer.statusText}\n${shown}\n\n${pretty(await answer.text())}`;
  } catch (error) {
    output.textContent = `No answer: ${error.message}`;
  }
}

function responses(api, operation) {
  const rows = Object.entries(operation.responses).map(([status, response]) =>
    make("tr", {}, make("td", {}, status), make("td", {}, resolve(api, response).description)));
  return make("table", {}, make("tbody", {}, ...rows));
}

function schemaOf(api, content) {
  const schema = content && Object.values(content)[0]?.schema;
  if (!schema) return [];
  const shown = JSON.stringify(resolve(api, schema), null, 2);
  return [make("details", {}, make("summary", {}, "Schema"), make("div", {}, make("pre", {}, shown)))];
}

function tryable(api, path, method, operation, id) {
  const fields = (operation.parameters ?? []).map((parameter, number) => field(`${id}-${number}`, resolve(api, parameter)));
  const parts = fields.flatMap((one) => one.nodes);
  let body = null;
  const json = operation.requestBody?.content?.["application/json"];
  if (json) {
    body = make("textarea", { id: `${id}-body`, spellcheck: "false" });
    body.value = json.example === undefined ? "" : JSON.stringify(json.example, null, 2);
    parts.push(make("label", { for: `${id}-body` }, "body (JSON)"), body, ...schemaOf(api, operation.requestBody.content));
  }
  const output = make("pre", { "aria-live": "polite" });
  const button = make("button", { type: "button" }, "Try it");
  button.addEventListener("click", () => attempt(method, path, fields, body, output));
  return [...parts, button, output];
}

function rendered(api, path, method, operation) {
  const id = `op-${operation.operationId}`;
  const summary = make("summary", {}, make("b", {}, method.toUpperCase()), make("span", { class: "path" }, path), ` ${operation.summary ?? ""}`);
  const details = make("details", { id }, summary);
  // Filled when it is opened: a hundred forms at once would be slow.
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    details.append(make("div", {},
      make("p", { class: "text" }, operation.description ?? ""),
      responses(api, operation),
      ...schemaOf(api, Object.entries(operation.responses).find(([status]) => status.startsWith("2"))?.[1].content),
      ...tryable(api, path, method, operation, id)));
  });
  return details;
}

function section(api, tag) {
  const found = Object.entries(api.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]?.tags?.includes(tag.name)).map((method) => rendered(api, path, method, item[method])));
  return make("section", { id: `tag-${tag.name}` }, make("h2", {}, tag.name), make("p", {}, tag.description ?? ""), ...found);
}

async function show() {
  const answer = await fetch("/openapi.json");
  if (!answer.ok) throw new Error(`the description is not there (${answer.status})`);
  const api = await answer.json();
  document.getElementById("version").textContent = api.info.version;
  document.getElementById("tags").append(...api.tags.map((tag) => make("a", { href: `#tag-${tag.name}` }, tag.name)));
  document.getElementById("operations").replaceChildren(
    make("p", { class: "text" }, api.info.description), ...api.tags.map((tag) => section(api, tag)));
}

show().catch((error) => { document.getElementById("state").textContent = `Nothing to show: ${error.message}`; });
