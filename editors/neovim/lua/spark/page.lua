-- Read-only pages: what the server tells about its work, in a scratch window.

local M = {}

---@param name string
---@param lines string[]
function M.open(name, lines)
  local bufnr = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(bufnr, 0, -1, true, lines)
  vim.bo[bufnr].modifiable = false
  vim.bo[bufnr].bufhidden = "wipe"
  vim.bo[bufnr].filetype = "spark-" .. name
  vim.cmd("botright 15split")
  vim.api.nvim_win_set_buf(0, bufnr)
  vim.keymap.set("n", "q", "<Cmd>close<CR>", { buffer = bufnr, nowait = true, desc = "Spark: close this page" })
end

---@param value any
---@return string
local function plain(value)
  return type(value) == "table" and vim.json.encode(value) or tostring(value)
end

--- One line per request, newest last, its reason first. Fields the server adds later appear by themselves.
---@param result any of spark/log
---@return string[]
function M.log_lines(result)
  local entries = result.requests or result.entries or result
  local lines = {} ---@type string[]
  for _, entry in ipairs(entries) do
    local fields = {} ---@type string[]
    for key, value in vim.spairs(entry) do
      if key ~= "reason" then
        table.insert(fields, ("%s=%s"):format(key, plain(value)))
      end
    end
    table.insert(lines, ("%-16s %s"):format(entry.reason or "", table.concat(fields, " ")))
  end
  return #lines > 0 and lines or { "No request yet." }
end

--- One line per segment of the prompt, in its order, then the prompt's text if it was asked for.
---@param result? table of spark/context
---@return string[]
function M.context_lines(result)
  if not result then
    return { "The server does not know this buffer." }
  end
  local lines = { ("%d of %d tokens"):format(result.tokens or 0, result.budget or 0), "" }
  for _, segment in ipairs(result.segments or {}) do
    local marks = (segment.stable and "stable" or "fresh") .. (segment.cached and ", cached" or "")
    table.insert(
      lines,
      ("%6d  %-10s %s:%d-%d  %s (%s)"):format(
        segment.tokens or 0,
        segment.kind or "",
        segment.path or "",
        segment.start_line or 0,
        segment.end_line or 0,
        segment.reason or "",
        marks
      )
    )
  end
  if type(result.prompt) == "string" then
    table.insert(lines, "")
    vim.list_extend(lines, vim.split(result.prompt, "\n", { plain = true }))
  end
  return lines
end

return M
