-- What the server last said about itself, and how it looks in a statusline.

local M = {}

local last = {} ---@type table<integer, spark.Status>

local signs = { Normal = "", Warning = "!", Error = "✗", Inactive = "⏸" }

---@param client_id integer
---@param status spark.Status
function M.update(client_id, status)
  last[client_id] = status
  vim.api.nvim_exec_autocmds("User", { pattern = "SparkStatus", modeline = false, data = status })
  vim.cmd.redrawstatus({ bang = true })
end

--- The status of the server of a buffer.
---@param bufnr? integer
---@return spark.Status?
function M.get(bufnr)
  local client = vim.lsp.get_clients({ name = "spark", bufnr = bufnr or 0 })[1]
  return client and last[client.id]
end

-- A statusline has little room; :Spark status has the whole message.
local MAX_MESSAGE = 40

---@param text string
---@return string
local function shorten(text)
  if vim.fn.strchars(text) <= MAX_MESSAGE then
    return text
  end
  return vim.fn.strcharpart(text, 0, MAX_MESSAGE - 1) .. "…"
end

--- "spark nano", "spark nano 120/340" while indexing, "spark ⏸ nano" when paused, "spark ✗ engine failed".
---@return string
function M.component()
  local status = M.get()
  if not status then
    return ""
  end
  local parts = { "spark", signs[status.kind] or "" }
  table.insert(parts, status.kind == "Error" and shorten(status.message or "") or status.model or "")
  local indexed = status.indexed
  if indexed and indexed.files < indexed.of then
    table.insert(parts, ("%d/%d"):format(indexed.files, indexed.of))
  end
  if status.busy then
    table.insert(parts, "…")
  end
  local text = table.concat(
    vim.tbl_filter(function(part)
      return part ~= ""
    end, parts),
    " "
  )
  -- A statusline expands what follows a percent sign.
  return (text:gsub("%%", "%%%%"))
end

--- Everything, one line per fact.
---@param client_id? integer the server of the current buffer when nil
---@return string[]
function M.describe(client_id)
  local status = client_id and last[client_id] or M.get()
  if not status then
    local nowhere = "Spark is not running in this buffer. :checkhealth spark says why."
    return { client_id and "The server has not said anything yet." or nowhere }
  end
  local lines = { ("%s%s"):format(status.kind, status.busy and ", busy" or "") }
  local function add(name, value)
    if value ~= nil and value ~= vim.NIL and value ~= "" then
      table.insert(lines, ("%s: %s"):format(name, value))
    end
  end
  add("message", status.message)
  add("model", status.model)
  add("why this model", status.why)
  add("resident tokens", status.resident_tokens)
  if status.indexed then
    add("indexed files", ("%d of %d"):format(status.indexed.files, status.indexed.of))
  end
  return lines
end

return M
