-- LSP positions to byte columns and back. The only file that knows the negotiated encoding.

local M = {}

---@param bufnr integer
---@param position lsp.Position
---@param encoding "utf-8"|"utf-16"|"utf-32"
---@return integer row, integer col 0-based, in bytes, clamped to the buffer
function M.to_bytes(bufnr, position, encoding)
  local row = math.min(position.line, vim.api.nvim_buf_line_count(bufnr) - 1)
  local line = vim.api.nvim_buf_get_lines(bufnr, row, row + 1, true)[1] or ""
  return row, vim.str_byteindex(line, encoding, position.character, false)
end

---@param text string
---@return integer utf16_units
function M.utf16_length(text)
  return vim.str_utfindex(text, "utf-16", #text)
end

return M
