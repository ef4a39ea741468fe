package customer

import "customercenter/domain"

// Disclose gives out all that is known of the person. Of whoever was withdrawn or erased something is known, too, if only that.
//
// Refused: NOT_FOUND if there never was a customer.
func (s *State) Disclose() ([]Event, error) {
	if s.Generation == 0 {
		return nil, domain.Refuse(domain.CodeNotFound)
	}
	return []Event{Disclosed{}}, nil
}
