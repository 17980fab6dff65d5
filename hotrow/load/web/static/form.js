"use strict";
// Groups, labels, help and examples for the fields of Locust's form. Without this script the form still works.
(() => {
  const base = new URL("./hotrow/", document.baseURI).href;
  const plain = (name) => name.replace(/[^a-zA-Z0-9]/g, "").toLowerCase();
  const element = (name, parts = {}, ...children) => {
    const made = Object.assign(document.createElement(name), parts);
    made.append(...children);
    return made;
  };

  // Whatever Locust's page sends is answered to it; a refusal is also shown beside its field.
  const send = window.fetch;
  window.fetch = async (...words) => {
    const answer = await send(...words);
    const url = typeof words[0] === "string" ? words[0] : words[0].url;
    if (/\/swarm$/.test(new URL(url, document.baseURI).pathname)) answer.clone().json().then(refused, () => {});
    return answer;
  };

  const controls = (form) => new Map([...form.querySelectorAll("[name]")].map((control) => [plain(control.name), control]));
  const boxOf = (control) => control.closest(".MuiAutocomplete-root") || control.closest(".MuiFormControlLabel-root") || control.closest(".MuiFormControl-root");

  const clear = (form) => {
    for (const error of form.querySelectorAll(".hotrow-error")) error.remove();
    for (const control of form.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
  };

  const refused = (answer) => {
    for (const form of document.querySelectorAll("form[data-hotrow]")) {
      clear(form);
      const control = answer.success ? null : controls(form).get(plain(answer.field || ""));
      if (!control) continue;
      control.setAttribute("aria-invalid", "true");
      boxOf(control).append(element("p", { className: "hotrow-error", textContent: answer.message }));
      control.scrollIntoView({ block: "center" });
      control.focus();
    }
  };

  const renameText = (parent, text) => {
    const node = parent && [...parent.childNodes].find((child) => child.nodeType === Node.TEXT_NODE);
    if (node) node.nodeValue = text;
    else if (parent) parent.textContent = text;
  };

  const rename = (box, text) => {
    renameText(box.querySelector(".MuiFormControlLabel-label, label"), text);
    renameText(box.querySelector("legend > span"), text);
  };

  const explain = (box, control, id, text) => {
    let help = box.querySelector(".hotrow-help");
    if (!help) {
      help = element("p", { className: "hotrow-help", id });
      box.append(help);
      control.setAttribute("aria-describedby", id);
    }
    help.textContent = text;
  };

  const suggest = (box, control, id, examples) => {
    if (control.tagName !== "INPUT" || control.type === "checkbox" || examples.length === 0) return;
    box.append(element("datalist", { id }, ...examples.map((value) => element("option", { value }))));
    control.setAttribute("list", id);
    control.setAttribute("autocomplete", "off");
  };

  const setValue = (control, value) => {
    if (control.type === "checkbox") {
      if (control.checked !== Boolean(value)) control.click();
      return;
    }
    const kind = control.tagName === "SELECT" ? HTMLSelectElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(control, String(value));
    control.dispatchEvent(new Event(control.tagName === "SELECT" ? "change" : "input", { bubbles: true }));
  };

  // The knobs of the chosen scenario; those of the others are put away.
  const showKnobs = (form, about, fields, chosen, isNew) => {
    for (const { field, control, box } of fields) {
      if (field.scenarios.length === 0) continue;
      const knob = (about.knobs[chosen] || {})[field.name];
      box.classList.toggle("hotrow-away", !knob && about.knobs[chosen] !== undefined);
      if (!knob) continue;
      explain(box, control, `hotrow-help-${field.name}`, knob.help);
      if (isNew) setValue(control, knob.default);
    }
  };

  const arrange = (form, about) => {
    const outer = form.firstElementChild;
    if (!outer || form.dataset.hotrow) return;
    form.dataset.hotrow = "yes";
    const isEdit = !controls(form).has("host");
    const found = controls(form);
    const fields = about.fields.map((field) => ({ field, control: found.get(plain(field.name)) }))
      .filter(({ control }) => control).map((each) => ({ ...each, box: boxOf(each.control) }));
    const prefix = `hotrow-${isEdit ? "edit" : "new"}`;
    let group = "";
    fields.forEach(({ field, control, box }, index) => {
      const order = 10 * (index + 1) + (isEdit && field.group !== "Load" ? 5000 : 0);
      box.style.order = order;
      rename(box, field.label);
      if (field.help) explain(box, control, `${prefix}-help-${field.name}`, field.help);
      suggest(box, control, `${prefix}-examples-${field.name}`, field.examples);
      if (isEdit && field.name in about.values) setValue(control, about.values[field.name]);
      if (isEdit) box.classList.toggle("hotrow-away", !field.edited);
      if (!isEdit && field.group !== group) {
        group = field.group;
        const title = element("h3", { className: "hotrow-group", textContent: group });
        title.style.order = order - 1;
        outer.append(title);
      }
    });
    const scenario = found.get("scenario");
    if (!isEdit) {
      const chosen = () => (scenario ? scenario.value : Object.keys(about.knobs)[0]);
      showKnobs(form, about, fields, chosen(), false);
      if (scenario) scenario.addEventListener("change", () => showKnobs(form, about, fields, chosen(), true));
    }
    const isSweep = about.fields.some((field) => field.name === "levels"); // it decides on users, rate and shape itself
    for (const name of isSweep ? ["usercount", "spawnrate", "runtime", "shapeclass"] : []) {
      if (found.has(name)) boxOf(found.get(name)).classList.add("hotrow-away");
    }
    for (const region of outer.querySelectorAll(".MuiAccordion-region")) region.setAttribute("role", "presentation");
    outer.classList.add("hotrow-form");
    outer.dataset.mode = (getComputedStyle(document.body).backgroundColor.match(/\d+/g) || [255]).map(Number)[0] > 127 ? "light" : "dark";
    form.addEventListener("input", () => clear(form));
  };

  let asked = null;
  const find = async () => {
    const forms = [...document.querySelectorAll("form:not([data-hotrow])")].filter((form) => form.querySelector("[name=userCount]"));
    if (forms.length === 0 || asked) return;
    asked = send(`${base}form`, { credentials: "same-origin" }).then((answer) => (answer.ok ? answer.json() : null), () => null);
    const about = await asked;
    asked = null;
    if (about) for (const form of document.querySelectorAll("form:not([data-hotrow])")) if (form.querySelector("[name=userCount]")) arrange(form, about);
  };

  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(find).observe(document.body, { subtree: true, childList: true });
    find();
  });
})();
