# What `placement export tfvars` writes, and how to make one thing for each dataset at each site.

variable "placement_plan" {
  type = object({
    municipality       = string
    decision           = number
    plan_digest        = string
    certificate_digest = string
    policies_digest    = string
  })
}

variable "placement_replicas" {
  type = map(object({
    dataset         = string
    title           = string
    department      = string
    site            = string
    operator        = string
    country         = string
    site_kind       = string
    other_sites     = list(string)
    from_sites      = list(string)
    storage         = string
    volume_gb       = number
    confidentiality = number
    classification  = string
    gdpr_category   = string
    access_rights   = string
    host_obligations = list(object({
      code        = string
      requirement = string
    }))
    readers        = list(string)
    writers        = list(string)
    administrators = list(string)
  }))
}

# A real configuration has a bucket here, in the module of the site's operator.
resource "terraform_data" "replica" {
  for_each = var.placement_replicas

  input = {
    site      = each.value.site
    title     = each.value.title
    city_keys = contains(each.value.host_obligations[*].code, "security.encrypt_with_city_keys")
    plan      = var.placement_plan.plan_digest
  }
}

output "by_site" {
  value = { for key, replica in var.placement_replicas : replica.site => replica.dataset... }
}
