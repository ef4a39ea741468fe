-- +goose Up

-- By what a company's own sign-in knows whoever signed in with an account of it, sealed with the sign-in's secret: signing out there, too, needs it. Gone with the sign-in.
alter table sign_ins add column account bytea;

-- +goose Down
alter table sign_ins drop column account;
