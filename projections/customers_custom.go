package projections

import (
	"context"
	"encoding/json"
	"fmt"
)

// showCustom leaves of the customers' custom values what is shown, see field.State.Visible: rows keep the values of fields that were
// removed or are disabled.
func (c *Customers) showCustom(ctx context.Context, tenant string, customers []Customer) error {
	var with []*Customer
	for i := range customers {
		if string(customers[i].Profile.Custom) != noCustom {
			with = append(with, &customers[i])
		}
	}
	if len(with) == 0 {
		return nil
	}
	fields, _, err := c.catalogues.Fields(ctx, tenant)
	if err != nil {
		return err
	}
	for _, one := range with {
		var custom map[string]any
		if err := json.Unmarshal(one.Profile.Custom, &custom); err != nil {
			return fmt.Errorf("projections: customers: custom values: %w", err)
		}
		if one.Profile.Custom, err = json.Marshal(fields.Visible(custom)); err != nil {
			return fmt.Errorf("projections: customers: custom values: %w", err)
		}
	}
	return nil
}
