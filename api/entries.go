package api

import (
	"context"
	"time"

	"customercenter/domain/association"
	"customercenter/domain/field"
	"customercenter/domain/tag"
)

// entries are what a tenant's small catalogues hold at the moment, for telling of filters and events in words.
type entries struct {
	tags         tag.State
	associations association.State
	fields       field.State
	zone         *time.Location
}

func (s *server) entries(ctx context.Context, tenant string) (e entries, err error) {
	own, _, err := s.Catalogues.Settings(ctx, tenant)
	if err != nil {
		return e, err
	}
	if e.zone, err = time.LoadLocation(own.TimeZone()); err != nil { // it was there when it was set
		e.zone = time.UTC
	}
	if e.tags, _, err = s.Catalogues.Tags(ctx, tenant); err != nil {
		return e, err
	}
	if e.associations, _, err = s.Catalogues.Associations(ctx, tenant); err != nil {
		return e, err
	}
	e.fields, _, err = s.Catalogues.Fields(ctx, tenant)
	return e, err
}
