-- A next edit on the screen: the text that goes struck out, the text that comes, a sign, and where it is.

local M = {}

local namespace = vim.api.nvim_create_namespace("spark.next_edit")

function M.clear()
  for _, bufnr in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(bufnr) then
      vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
    end
  end
end

--- Without the characters that both texts begin and end with, so that only what differs is marked.
---@param old string
---@param new string
---@return integer before, integer after bytes in common; never a part of a character
local function common(old, new)
  local before = 0
  while before < math.min(#old, #new) and old:byte(before + 1) == new:byte(before + 1) do
    before = before + 1
  end
  while before > 0 and (old:byte(before + 1) or 0) >= 128 and (old:byte(before + 1) or 0) < 192 do
    before = before - 1
  end
  local after = 0
  while after < math.min(#old, #new) - before and old:byte(#old - after) == new:byte(#new - after) do
    after = after + 1
  end
  while after > 0 and old:byte(#old - after + 1) >= 128 and old:byte(#old - after + 1) < 192 do
    after = after - 1
  end
  return before, after
end

---@param bufnr integer
---@param row integer
---@param col integer
---@param end_row integer
---@param end_col integer
---@param text string
function M.edit(bufnr, row, col, end_row, end_col, text)
  local old = table.concat(vim.api.nvim_buf_get_text(bufnr, row, col, end_row, end_col, {}), "\n")
  local lines = vim.split(text, "\n", { plain = true })
  if row == end_row and #lines == 1 then
    local before, after = common(old, text)
    col, end_col, text = col + before, end_col - after, text:sub(before + 1, #text - after)
    lines = { text }
  end
  if row < end_row or col < end_col then
    vim.api.nvim_buf_set_extmark(bufnr, namespace, row, col, {
      end_row = end_row,
      end_col = end_col,
      hl_group = "SparkEditOld",
    })
  end
  if #lines == 1 then
    vim.api.nvim_buf_set_extmark(bufnr, namespace, end_row, end_col, {
      virt_text = { { text, "SparkEditNew" } },
      virt_text_pos = "inline",
    })
    return
  end
  if lines[#lines] == "" then
    table.remove(lines)
  end
  local below = vim.tbl_map(function(line)
    return { { line, "SparkEditNew" } }
  end, lines)
  local is_above = end_col == 0
  vim.api.nvim_buf_set_extmark(bufnr, namespace, end_row, 0, { virt_lines = below, virt_lines_above = is_above })
end

---@param bufnr integer
---@param row integer
function M.mark(bufnr, row)
  vim.api.nvim_buf_set_extmark(bufnr, namespace, row, 0, { sign_text = "»", sign_hl_group = "SparkEditSign" })
end

---@param bufnr integer
---@param row integer
---@param text string
function M.hint(bufnr, row, text)
  vim.api.nvim_buf_set_extmark(bufnr, namespace, row, 0, {
    virt_text = { { ("  » %s"):format(text), "SparkEditHint" } },
    virt_text_pos = "eol",
  })
end

return M
