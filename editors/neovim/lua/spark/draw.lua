-- Ghost text on the screen, and nothing else: no decision is made here.

local M = {}

local namespace = vim.api.nvim_create_namespace("spark.ghost")

--- Virtual text shows a tab as `^I`; expand it as the buffer would. Exact at line starts, where code has its tabs.
---@param bufnr integer
---@param text string
---@return string
local function expand_tabs(bufnr, text)
  return (text:gsub("\t", (" "):rep(vim.bo[bufnr].tabstop)))
end

---@param bufnr integer
---@param view spark.View
function M.draw(bufnr, view)
  M.clear(bufnr)
  for _, piece in ipairs(view.pieces) do
    if piece.text ~= "" then
      vim.api.nvim_buf_set_extmark(bufnr, namespace, view.row, piece.col, {
        virt_text = { { expand_tabs(bufnr, piece.text), "SparkGhost" } },
        virt_text_pos = "inline",
        undo_restore = false,
      })
    end
  end
  if #view.below > 0 then
    local lines = vim.tbl_map(function(line)
      return { { expand_tabs(bufnr, line), "SparkGhost" } }
    end, view.below)
    vim.api.nvim_buf_set_extmark(bufnr, namespace, view.row, 0, { virt_lines = lines, undo_restore = false })
  end
end

---@param bufnr integer
function M.clear(bufnr)
  if vim.api.nvim_buf_is_valid(bufnr) then
    vim.api.nvim_buf_clear_namespace(bufnr, namespace, 0, -1)
  end
end

return M
