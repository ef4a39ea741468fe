// What HTML cannot do by itself. Everything here only makes quicker what works without it.
{
  const find = (selector, within = document) => within.querySelector(selector);

  // dialogs: what the server sends into #dialogs is opened over the page, and gone when it is closed.
  document.addEventListener("htmx:after:swap", (event) => {
    const source = event.detail?.ctx?.sourceElement;
    if (source) find(":scope > .not-updated", source)?.remove();
    if (source?.matches("[data-refreshes]")) return; // by itself: nobody went anywhere
    const dialog = find("#dialogs dialog");
    if (dialog && !dialog.open) {
      dialog.showModal();
      dialog.addEventListener("close", () => dialog.remove());
    } else if (!dialog && (document.activeElement === document.body || !document.activeElement)) {
      find("#main")?.focus({ preventScroll: true }); // a reader goes on at the new page
    }
    forget();
  });
  document.addEventListener("click", (event) => {
    const close = event.target.closest("#dialogs [data-close]");
    if (!close) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    close.closest("dialog").close();
  }, true);

  // Refusals and silence: what is on the page stays where the answer has nothing to take its place, or may be another one in a moment. A toast says why, and
  // a part that renews itself says that it is not up to date.
  const byItself = (element) => !element.matches("a, button, form, body");
  const stays = ({ sourceElement, request }, why) => {
    if (byItself(sourceElement)) {
      if (!find(":scope > .not-updated", sourceElement)) sourceElement.append(find("#not-updated").content.cloneNode(true));
      return;
    }
    const toast = find("#no-answer").content.firstElementChild.cloneNode(true), said = find("span", toast);
    said.textContent = why || (request.method === "GET" ? said.dataset.read : said.dataset.write);
    for (const old of document.querySelectorAll(".toast.no-answer")) old.remove();
    (find("dialog:modal") ?? find("#toasts")).append(toast);
  };
  document.addEventListener("htmx:error", ({ detail: { ctx } }) => ctx?.request && stays(ctx));
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail, { status } = ctx.response, select = ctx.hx.reselect ?? ctx.select;
    if (status < 400 || ctx.hx.redirect) return;
    const page = new DOMParser().parseFromString(ctx.text, "text/html"), passes = status === 429 || status >= 500;
    if (passes ? !byItself(ctx.sourceElement) && ctx.request.method === "GET" && find(select, page) : !select || find(select, page)) return;
    event.preventDefault();
    stays(ctx, [...page.querySelectorAll("#main .empty > :is(h1, p:not(.row))")].map((part) => part.textContent).join(document.documentElement.lang === "en" ? ". " : "："));
  });

  // command and commandfor, for browsers that do not know them yet.
  if (!("commandForElement" in HTMLButtonElement.prototype)) {
    document.addEventListener("click", (event) => {
      const button = event.target.closest("button[commandfor]");
      const target = button && document.getElementById(button.getAttribute("commandfor"));
      if (target && button.getAttribute("command") === "show-modal") target.showModal();
      if (target && button.getAttribute("command") === "close") target.close();
    });
  }

  // What is folded stays folded, on other pages too. A click comes before what it does.
  document.addEventListener("click", (event) => {
    const kept = event.target.closest("[data-keep] > summary")?.parentElement;
    if (kept) fetch("/preferences", { method: "POST", body: new URLSearchParams({ [kept.dataset.keep]: kept.open ? "folded" : "open" }), redirect: "manual", keepalive: true }).catch(() => {});
  });

  // copying
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy || button.previousElementSibling.textContent);
      const use = find("use", button), before = use.getAttribute("href");
      button.dataset.copied = "";
      use.setAttribute("href", before.replace(/#.*/, "#check"));
      setTimeout(() => { delete button.dataset.copied; use.setAttribute("href", before); }, 1500);
    } catch { /* not allowed: the text can be selected */ }
  });

  // toasts go when they are dismissed, or after a while that nobody is at them, unless they say that something was not done.
  document.addEventListener("click", (event) => event.target.closest("[data-dismiss]")?.parentElement.remove());
  const forget = () => {
    for (const toast of document.querySelectorAll(".toasts > :not([data-counted], .bad)")) {
      toast.dataset.counted = "";
      const wait = () => setTimeout(() => toast.matches(":hover, :focus-within") ? wait() : toast.remove(), 10000);
      wait();
    }
  };
  forget();

  // keys
  const typing = (element) => element.closest("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]");
  const reach = (row) => find(".lead :is(a, button:not(.copy))", row) ?? find(".pick input", row) ?? find("a, button:not(.copy), input", row);
  const step = (by) => {
    const rows = [...document.querySelectorAll("main tbody tr")];
    if (!rows.length) return;
    const at = rows.indexOf(document.activeElement.closest("tbody tr"));
    const next = rows[Math.min(Math.max(at + by, 0), rows.length - 1)];
    reach(next)?.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  const keys = {
    "/": () => { const box = find("[data-search]"); box?.focus(); box?.select(); return box; },
    j: () => step(1),
    k: () => step(-1),
    x: () => find(".pick input", document.activeElement.closest("tbody tr") ?? document.createElement("tr"))?.click(),
    "?": () => find("#keys")?.showModal(),
  };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing || typing(event.target) || find("dialog:modal")) return;
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  // signing out of the company account goes on by itself
  find("form[data-at-once]")?.submit();
}
