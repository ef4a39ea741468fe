// Conditions of filters: rows are added, changed and taken away without the page, and lists of choices can be searched.
{
  customElements.define("cc-conditions", class extends HTMLElement {
    #turn = 0;

    connectedCallback() {
      this.addEventListener("click", (event) => {
        const button = event.target.closest("button[name='c.do']");
        if (!button) return;
        event.preventDefault();
        this.#change(button.value, button);
      });
      this.addEventListener("change", (event) => {
        if (event.target.matches("[data-changes]")) this.#change("show");
        else if (this.querySelector("[name='c.counted']") && event.target.name) this.#recount();
      });
    }

    // ask sends the form as it is, and returns the part as it is to be; nothing if another question has overtaken this one.
    async #ask(what) {
      const turn = ++this.#turn, form = new URLSearchParams(new FormData(this.closest("form")));
      form.set("c.do", what);
      const answer = await fetch("/conditions", { method: "POST", body: form });
      if (answer.redirected) location.reload(); // the sign-in has ended
      if (!answer.ok) throw new Error(answer.statusText);
      if (turn !== this.#turn) return;
      return new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("cc-conditions");
    }

    async #change(what, button) {
      try {
        const next = await this.#ask(what), active = document.activeElement?.id;
        if (!next) return;
        this.replaceWith(document.adoptNode(next));
        document.getElementById(next.dataset.focus || active)?.focus();
        next.dispatchEvent(new Event("reshaped", { bubbles: true })); // for what shows who matches
      } catch { this.closest("form").requestSubmit(button ?? this.querySelector("button[value=show]")); } // as without script
    }

    async #recount() {
      const next = await this.#ask("show").catch(() => {});
      if (!next) return;
      const told = this.querySelector(":scope > [role=status]"), now = next.querySelector(":scope > [role=status]");
      if (told && now) told.textContent = now.textContent;
      for (const input of next.querySelectorAll("input[type=checkbox]")) {
        const count = input.closest("label").querySelector(".count");
        const mine = this.querySelector(`input[name="${CSS.escape(input.name)}"][value="${CSS.escape(input.value)}"]`)?.closest("label");
        if (!count || !mine) continue;
        mine.querySelector(".count")?.remove();
        mine.append(document.adoptNode(count));
      }
    }
  });

  customElements.define("cc-picks", class extends HTMLElement {
    connectedCallback() {
      const search = this.querySelector("input[type=search]");
      if (!search) return;
      const labels = [...this.querySelectorAll("label")];
      const found = () => labels.filter((label) => !label.hidden);
      search.addEventListener("input", (event) => {
        event.stopPropagation();
        const text = search.value.trim().toLowerCase();
        for (const label of labels) label.hidden = text && !label.textContent.toLowerCase().includes(text) && !label.querySelector(":checked");
      });
      search.addEventListener("keydown", (event) => {
        if (event.isComposing) return;
        const first = found().find((label) => search.value && !label.querySelector(":checked")) ?? found()[0];
        if (event.key === "Enter" && search.value) {
          event.preventDefault();
          if (!first) return;
          first.querySelector("input").click();
          search.value = "";
          for (const label of labels) label.hidden = false;
        } else if (event.key === "ArrowDown" && first) {
          event.preventDefault();
          first.querySelector("input").focus();
        }
      });
    }
  });
}
