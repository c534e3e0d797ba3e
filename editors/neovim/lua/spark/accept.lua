-- Putting a suggestion, or the next part of it, into the buffer, and telling the server.

local ghost = require("spark.ghost")
local position = require("spark.position")

local M = {}

--- Replace the text between two places and leave the cursor behind it.
---@param bufnr integer
---@param row integer
---@param col integer
---@param end_row integer
---@param end_col integer
---@param text string
function M.put(bufnr, row, col, end_row, end_col, text)
  local lines = vim.split(text, "\n", { plain = true })
  vim.api.nvim_buf_set_text(bufnr, row, col, end_row, end_col, lines)
  local last_col = #lines[#lines] + (#lines == 1 and col or 0)
  vim.api.nvim_win_set_cursor(0, { row + #lines, last_col })
end

---@param suggestion spark.Suggestion
---@param view spark.View
local function finish(suggestion, view)
  local _, _, end_row, end_col = suggestion:range()
  ghost.hide()
  M.put(suggestion.bufnr, view.row, view.col, end_row, end_col, view.rest)
  local client = vim.lsp.get_client_by_id(suggestion.client_id)
  if client and suggestion.item.command then
    client:exec_cmd(suggestion.item.command, { bufnr = suggestion.bufnr })
  end
end

--- Insert the next part. The last part is the whole: then the range is replaced and the server's command runs.
---@param next_part fun(rest: string): string
---@return boolean accepted
local function partly(next_part)
  local suggestion, view = ghost.get()
  if not suggestion or not view then
    return false
  end
  local _, _, end_row, end_col = suggestion:range()
  local after =
    table.concat(vim.api.nvim_buf_get_text(suggestion.bufnr, view.row, view.col, end_row, end_col, {}), "\n")
  local part = next_part(view.rest)
  local left = view.rest:sub(#part + 1)
  if left == "" or left == after then
    finish(suggestion, view)
    return true
  end
  M.put(suggestion.bufnr, view.row, view.col, view.row, view.col, part)
  ghost.advanced()

  local text = suggestion.item.insertText
  local client = vim.lsp.get_client_by_id(suggestion.client_id)
  if client then
    client:notify("textDocument/didPartiallyAcceptCompletion" --[[@as any]], {
      item = suggestion.item,
      acceptedLength = position.utf16_length(text:sub(1, #text - #left)),
    })
  end
  return true
end

---@return boolean accepted
function M.all()
  local suggestion, view = ghost.get()
  if not suggestion or not view then
    return false
  end
  finish(suggestion, view)
  return true
end

--- A word with the white space before it, or a run of punctuation. Bytes above 127 count as letters.
---@param rest string
---@return string
function M.next_word(rest)
  return rest:match("^%s*[%w_\128-\255]+") or rest:match("^%s*[^%w%s_\128-\255]+") or rest
end

--- What is left of this line, or the next line when this one is complete.
---@param rest string
---@return string
function M.next_line(rest)
  return rest:match("^\n*[^\n]+") or rest
end

---@return boolean accepted
function M.word()
  return partly(M.next_word)
end

---@return boolean accepted
function M.line()
  return partly(M.next_line)
end

return M
