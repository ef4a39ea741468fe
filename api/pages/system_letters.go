package pages

import (
	"net/http"
	"net/url"
	"strconv"

	"customercenter/api"
	"customercenter/api/ingest"
	"customercenter/internal/locale"
)

// lettersView is the view of the channel events that could not be taken. Nothing that people wrote is shown.
type lettersView struct {
	Tabs    *tabs
	Summary string
	Rows    []letterRow
	Pager   pager
	Empty   *empty
}

type letterRow struct {
	Number, Tenant, Association string
	Title, Code, Location       string
	Reason                      string // in English, as it was written down
	Died                        *moment
	Tries                       string // empty: it was not sent again yet
	Cut                         string // why it cannot be sent again; empty: it can
}

const mostLetters = 50

func (p *Pages) showLetters(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	query := url.Values{"limit": {strconv.Itoa(mostLetters)}}
	if behind := r.URL.Query().Get("behind"); behind != "" {
		query.Set("behind", behind)
	}
	var letters api.List[ingest.DeadLetter]
	if err := v.get("/v1/dead-letters?"+query.Encode(), &letters); err != nil {
		v.fail(err)
		return
	}
	view := lettersView{Tabs: v.systemTabs(), Summary: v.t("system.letters_text"), Pager: pager{Label: v.t("system.letters_pager"), Summary: v.t("system.letters_order")}}
	for _, l := range letters.Items {
		row := letterRow{Number: strconv.FormatUint(l.Sequence, 10), Tenant: l.Tenant, Association: l.Association, Title: locale.Title(v.language, l.Code), Code: l.Code, Reason: l.Reason, Location: l.Location, Died: v.moment(&l.Died)}
		if l.Resent > 0 {
			row.Tries = v.t("system.letter_resent", "n", l.Resent)
		}
		if l.Cut {
			row.Cut = v.t("system.letter_cut")
		}
		view.Rows = append(view.Rows, row)
	}
	switch n := len(view.Rows); {
	case n == mostLetters:
		view.Pager.Next = "/system/letters?behind=" + view.Rows[n-1].Number
	case n == 0:
		view.Empty = &empty{Icon: "check", Title: v.t("system.letters_none"), Text: v.t("system.letters_none_text")}
	}
	v.show(http.StatusOK, "system_letters", v.t("system.letters"), view)
}

func (p *Pages) resendLetter(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).changeLetter("resend", func(v *visit, number string) string { return v.t("system.letter_sent", "n", number) })
}

func (p *Pages) discardLetter(_ http.ResponseWriter, r *http.Request) {
	visitOf(r).changeLetter("discard", func(v *visit, number string) string { return v.t("system.letter_discarded", "n", number) })
}

// changeLetter does something with a dead letter and tells of it.
func (v *visit) changeLetter(what string, told func(v *visit, number string) string) {
	number, err := strconv.ParseUint(v.r.PostFormValue("number"), 10, 64)
	if err != nil {
		v.fail(errNotFound)
		return
	}
	if err := v.send(http.MethodPost, "/v1/dead-letters/"+what, api.LetterInput{Number: number}, nil); err != nil {
		v.refused("/system/letters", err)
		return
	}
	v.done("/system/letters", notice{Tone: "good", Text: told(v, strconv.FormatUint(number, 10))})
}

func (p *Pages) askDiscardLetter(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	number := r.URL.Query().Get("number")
	c := confirm{Title: v.t("system.letter_discard_ask", "n", number), Text: v.t("system.letter_discard_text"), Action: "/system/letters/discard",
		Fields: hidden{"number": number}, Button: v.t("system.letter_discard"), Danger: true, Back: "/system/letters"}
	v.showDialog(http.StatusOK, "confirm", c.Title, c)
}
