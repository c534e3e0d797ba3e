-- One suggestion tied to a place in a buffer. An extmark carries its range along while the user types inside it.

local position = require("spark.position")
local view = require("spark.view")

local namespace = vim.api.nvim_create_namespace("spark.range")

---@class spark.Suggestion
---@field bufnr integer
---@field client_id integer
---@field item spark.Item
---@field shown boolean  whether the server knows that it was on the screen
---@field private mark integer
---@field private typed integer  bytes of the suggestion that stood before the cursor when last looked at
local Suggestion = {}
Suggestion.__index = Suggestion

---@param client vim.lsp.Client
---@param bufnr integer
---@param item spark.Item
---@return spark.Suggestion
function Suggestion.new(client, bufnr, item)
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  row = row - 1
  local end_row, end_col = row, col
  if item.range then
    row, col = position.to_bytes(bufnr, item.range.start, client.offset_encoding)
    end_row, end_col = position.to_bytes(bufnr, item.range["end"], client.offset_encoding)
  end
  local mark = vim.api.nvim_buf_set_extmark(bufnr, namespace, row, col, {
    end_row = end_row,
    end_col = end_col,
    right_gravity = false,
    end_right_gravity = true,
    undo_restore = false,
  })
  return setmetatable(
    { bufnr = bufnr, client_id = client.id, item = item, mark = mark, typed = 0, shown = false },
    Suggestion
  )
end

--- Where it stands now, in bytes, 0-based, end exclusive.
---@return integer? start_row nil when the buffer lost the place
---@return integer start_col
---@return integer end_row
---@return integer end_col
function Suggestion:range()
  local mark = vim.api.nvim_buf_get_extmark_by_id(self.bufnr, namespace, self.mark, { details = true })
  if #mark == 0 then
    return nil, 0, 0, 0
  end
  local details = mark[3] --[[@as vim.api.keyset.extmark_details]]
  -- stylua: ignore
  return mark[1], mark[2], details.end_row --[[@as integer]], details.end_col --[[@as integer]]
end

--- What to draw at the cursor, or nil when the text before the cursor no longer agrees with the suggestion.
---@return spark.View?
function Suggestion:view()
  if vim.api.nvim_get_current_buf() ~= self.bufnr then
    return nil
  end
  local start_row, start_col, end_row, end_col = self:range()
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  row = row - 1
  if not start_row then
    return nil
  end
  local outside = row < start_row
    or (row == start_row and col < start_col)
    or row > end_row
    or (row == end_row and col > end_col)
  if outside then
    return nil
  end
  local get = vim.api.nvim_buf_get_text
  local before = table.concat(get(self.bufnr, start_row, start_col, row, col, {}), "\n")
  local after = table.concat(get(self.bufnr, row, col, end_row, end_col, {}), "\n")
  -- Deleting what was typed through means "not wanted", even though the shorter text would match again.
  if #before < self.typed then
    return nil
  end
  self.typed = #before
  return view.compute(self.item.insertText, before, after, row, col)
end

function Suggestion:release()
  if vim.api.nvim_buf_is_valid(self.bufnr) then
    vim.api.nvim_buf_del_extmark(self.bufnr, namespace, self.mark)
  end
end

return Suggestion
