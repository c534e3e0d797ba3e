-- The plugin's own settings. The server's settings pass through untouched: the server checks them and answers for them.

local M = {}

---@type spark.Config
local defaults = {
  ui = "auto",
  keys = {
    accept = "<Tab>",
    accept_word = "<M-Right>",
    accept_line = "<M-l>",
    dismiss = "<C-]>",
    next = "<M-]>",
    previous = "<M-[>",
    request = "<M-\\>",
    next_edit = "<Tab>",
  },
}

---@type spark.Config
M.current = vim.deepcopy(defaults)

---@param opts? table
function M.set(opts)
  opts = opts or {}
  vim.validate("ui", opts.ui, function(ui)
    return ui == nil or vim.list_contains({ "auto", "own", "builtin" }, ui)
  end, '"auto", "own" or "builtin"')
  vim.validate("cmd", opts.cmd, "table", true)
  vim.validate("keys", opts.keys, "table", true)
  vim.validate("settings", opts.settings, "table", true)
  M.current = vim.tbl_deep_extend("force", defaults, opts)
end

--- Whether Neovim's own inline completion shows the suggestions.
---@return boolean
function M.builtin()
  if M.current.ui == "own" then
    return false
  end
  return vim.lsp.inline_completion ~= nil
end

return M
