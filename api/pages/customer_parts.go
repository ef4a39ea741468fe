package pages

import (
	"net/url"

	"customercenter/projections"
)

// What several pages show of customers and of who does something.

// customer asks the API for a customer.
func (v *visit) customer(id string) (*projections.Customer, error) {
	var customer projections.Customer
	if err := v.get("/v1/customers/"+url.PathEscape(id), &customer); err != nil {
		return nil, err
	}
	return &customer, nil
}

// nameOf is what to call a customer.
func (v *visit) nameOf(c *projections.Customer) string {
	for _, name := range []string{c.Profile.Nickname, c.Profile.Name, c.ExternalID} {
		if name != "" {
			return name
		}
	}
	return v.t("nobody")
}

// actor is who did something, as people call them.
func (v *visit) actor(a projections.Actor) string {
	if a.Kind == "system" {
		return v.t("actor.system")
	}
	if a.Name != "" {
		return a.Name
	}
	return a.ID
}
