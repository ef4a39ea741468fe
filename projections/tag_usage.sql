-- How many customers carry each tag, tags that were deleted too. A question costs as much as there are tags, however many customers.
create table tag_usage (
  tenant    text collate "C" not null,
  tag       uuid             not null,
  customers bigint           not null,
  primary key (tenant, tag)
) with (fillfactor = 50);

-- The tags of each customer who has ever had any.
create table tag_usage_customer (
  tenant text collate "C" not null,
  id     uuid             not null,
  tags   uuid[]           not null,
  primary key (tenant, id)
) with (fillfactor = 80);
