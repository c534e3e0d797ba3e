-- What a key would have done without us: the mapping it had before, or the key itself.
-- Neovim's own <Tab> jumps in snippets; a completion plugin may have one too. Neither must stop working.

local M = {}

---@param lhs string
---@return table? mapping as nvim_get_keymap gives it
local function global_mapping(lhs)
  local wanted = vim.api.nvim_replace_termcodes(lhs, true, true, true)
  for _, mapping in ipairs(vim.api.nvim_get_keymap("i")) do
    if mapping.lhsraw == wanted or mapping.lhsrawalt == wanted then
      return mapping
    end
  end
end

--- For an expression mapping: the keys to return.
---@param lhs string
---@return string
function M.keys(lhs)
  local mapping = global_mapping(lhs)
  if not mapping then
    return lhs
  end
  if mapping.callback then
    if mapping.expr == 1 then
      return mapping.callback() or ""
    end
    -- The text is locked while an expression mapping runs.
    vim.schedule(mapping.callback)
    return ""
  end
  local keys = mapping.expr == 1 and vim.api.nvim_eval(mapping.rhs) or mapping.rhs
  if mapping.noremap == 1 then
    return keys
  end
  vim.api.nvim_feedkeys(vim.api.nvim_replace_termcodes(keys, true, true, true), "mi", false)
  return ""
end

return M
