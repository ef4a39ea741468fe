package pages

import (
	"net/http"

	"github.com/go-chi/chi/v5"

	"customercenter/api"
	"customercenter/api/access"
	"customercenter/projections"
)

// eraseAsk is the address of the dialog that erases the customer; empty if that is not the visitor's.
func (v *visit) eraseAsk(c *projections.Customer) string {
	if !v.may("erase-customer") {
		return ""
	}
	return customerPath(c.ID.String()) + "/erase"
}

func (p *Pages) askErase(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	c, err := v.customer(chi.URLParam(r, "id"))
	if err != nil {
		v.failCustomer(err)
		return
	}
	v.showErase(http.StatusOK, c, "")
}

// showErase says what is lost, and asks to type whom it is about.
func (v *visit) showErase(status int, c *projections.Customer, wrongID string) {
	path := customerPath(c.ID.String())
	ask := confirm{
		Title: v.t("customer.erase_title", "name", v.nameOf(c)), Text: v.t("customer.erase_text"), Action: path + "/erase",
		Button: v.t("customer.erase_button"), Danger: true, Back: path,
		Inputs: []field{{Name: "confirm", Label: v.t("customer.erase_confirm", "id", c.ExternalID), Wrong: wrongID, Required: true, Focus: true}},
	}
	if c.OpenSession != nil {
		ask.Wrong = &banner{Tone: "warn", Text: v.t("customer.erase_open")}
	}
	v.showDialog(status, "confirm", ask.Title, ask)
}

func (p *Pages) erase(_ http.ResponseWriter, r *http.Request) {
	v := visitOf(r)
	c, err := v.customer(chi.URLParam(r, "id"))
	if err != nil {
		v.failCustomer(err)
		return
	}
	err = v.send(http.MethodDelete, "/v1"+customerPath(c.ID.String()), api.EraseInput{Confirm: r.PostFormValue("confirm")}, nil)
	if why := wrong(err, "confirm", false); why != "" {
		v.showErase(http.StatusUnprocessableEntity, c, v.t("customer.erase_wrong"))
		return
	}
	if err != nil {
		v.refused(customerPath(c.ID.String()), err)
		return
	}
	v.done("/customers", notice{Tone: "good", Text: v.t("customer.erased_now")})
}

// erasedText says of a customer who is not there that they were erased, and whether anything is left; empty if that is not so, or not the visitor's to know.
func (v *visit) erasedText(id string) string {
	var e api.Erasure
	if !access.May(v.in.Role, "get-erasure") || v.get("/v1"+customerPath(id)+"/erasure", &e) != nil {
		return ""
	}
	if e.DoneAt == nil {
		return v.t("customer.erased_going_on", "time", v.moment(&e.ErasedAt).Exact)
	}
	return v.t("customer.erased_wholly", "time", v.moment(&e.ErasedAt).Exact)
}
