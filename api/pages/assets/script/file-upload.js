{
  const size = (bytes) => bytes < 1024 ? `${bytes} B` : bytes < 1024 * 1024 ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

  // file-upload is around a form that takes one file: it can be dropped, is looked at before it is sent, and its sending is shown.
  customElements.define("file-upload", class extends HTMLElement {
    connectedCallback() {
      this.form = this.querySelector("form");
      this.input = this.querySelector("[type=file]");
      this.classList.add("ready"); // the input lies over the whole drop
      const drop = this.querySelector(".drop");
      for (const name of ["dragenter", "dragover"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("over"); });
      for (const name of ["dragleave", "drop"]) drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove("over"); });
      drop.addEventListener("drop", (event) => {
        if (!event.dataTransfer.files.length) return;
        const one = new DataTransfer(); // an input takes one
        one.items.add(event.dataTransfer.files[0]);
        this.input.files = one.files;
        this.choose();
      });
      this.input.addEventListener("change", () => this.choose());
      this.find("[data-stop]").addEventListener("click", () => this.sent?.abort());
      this.form.addEventListener("submit", (event) => {
        event.preventDefault();
        if (this.choose()) this.send();
      });
      this.choose(); // a browser that goes back may have kept it
    }
    disconnectedCallback() { this.sent?.abort(); }
    find(selector) { return this.querySelector(selector); }

    // choose shows which file was chosen, and whether it can be sent.
    choose() {
      const file = this.input.files[0];
      const large = !!file && file.size > Number(this.getAttribute("most"));
      this.find(".chosen").hidden = !file;
      this.find("[data-large]").hidden = !large;
      this.find("[data-broken]").hidden = true;
      this.form.classList.toggle("has", !!file);
      if (file) [this.find("[data-name]").textContent, this.find("[data-size]").textContent] = [file.name, size(file.size)];
      return file && !large;
    }

    // send sends the form as the browser would, and shows the page that comes.
    send() {
      const sent = this.sent = new XMLHttpRequest();
      const bar = this.find(".sending progress");
      const showing = (sending, checking) => {
        this.find(".sending").hidden = !sending;
        this.find("[data-sending]").hidden = checking;
        this.find("[data-checking]").hidden = !checking;
        this.find("[data-stop]").hidden = !sending || checking; // who is done sending cannot take it back
        this.find(".primary").setAttribute("aria-busy", sending);
        this.find(".primary").disabled = sending;
      };
      const ended = (broken) => { showing(false, false); this.find("[data-broken]").hidden = !broken; };
      sent.upload.addEventListener("progress", (event) => { [bar.max, bar.value] = [event.total, event.loaded]; });
      sent.upload.addEventListener("load", () => { bar.removeAttribute("value"); showing(true, true); });
      sent.addEventListener("load", () => { ended(false); this.show(sent); });
      sent.addEventListener("error", () => ended(true));
      sent.addEventListener("abort", () => ended(false));
      sent.open("POST", this.form.action);
      sent.setRequestHeader("HX-Current-URL", location.href); // to come back to, should the sign-in have ended
      showing(true, false);
      sent.send(new FormData(this.form));
    }

    // show puts the page that came in place of this one.
    show(sent) {
      const page = new DOMParser().parseFromString(sent.responseText, "text/html");
      const main = page.getElementById("main");
      if (!main || !page.body.matches(".shell")) return location.assign(sent.responseURL || location.href); // the sign-in has ended
      const to = new URL(sent.responseURL);
      if (to.pathname !== location.pathname) {
        history.replaceState({ htmx: true }, ""); // htmx goes back to, and on to, what is marked so
        history.pushState({ htmx: true }, "", to);
      }
      document.title = page.title;
      document.getElementById("toasts").innerHTML = page.getElementById("toasts").innerHTML;
      document.getElementById("main").replaceWith(main);
      htmx.process(main);
      (main.querySelector("#refused") ?? main).focus({ preventScroll: true });
      document.dispatchEvent(new Event("htmx:after:swap"));
    }
  });
}
