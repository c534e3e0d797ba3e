-- Neovim's own inline completion (0.12 and newer) shows the suggestions; the keys that it has none for are here.

local accept = require("spark.accept")
local position = require("spark.position")

local M = {}

---@return boolean visible
function M.visible()
  local namespace = vim.api.nvim_get_namespaces()["nvim.lsp.inline_completion"]
  return namespace ~= nil and #vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { limit = 1 }) > 0
end

---@return boolean accepted
function M.accept()
  return vim.lsp.inline_completion.get()
end

--- What is left of an item at the cursor, nil when the text before the cursor is not its beginning.
---@param item vim.lsp.inline_completion.Item
---@return string?
local function rest_of(item)
  local text = item.insert_text
  if type(text) ~= "string" then
    return nil
  end
  local row, col = unpack(vim.api.nvim_win_get_cursor(0))
  local start_row, start_col = row - 1, col
  if item.range then
    start_row, start_col = item.range:to_extmark()
  end
  local before = table.concat(vim.api.nvim_buf_get_text(0, start_row, start_col, row - 1, col, {}), "\n")
  return vim.startswith(text, before) and text:sub(#before + 1) or nil
end

--- Insert the next part; Neovim asks again at once, and the server knows the rest. The last part is the whole.
---@param next_part fun(rest: string): string
---@return boolean accepted
local function partly(next_part)
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      local rest = rest_of(item)
      local part = rest and next_part(rest)
      if not rest or not part or part == rest then
        return item
      end
      local row, col = unpack(vim.api.nvim_win_get_cursor(0))
      accept.put(0, row - 1, col, row - 1, col, part)
      local client = vim.lsp.get_client_by_id(item.client_id)
      if client then
        local text = item.insert_text --[[@as string]]
        client:notify("textDocument/didPartiallyAcceptCompletion" --[[@as any]], {
          item = { insertText = text, command = item.command },
          acceptedLength = position.utf16_length(text:sub(1, #text - #rest + #part)),
        })
      end
    end,
  })
end

---@return boolean accepted
function M.accept_word()
  return partly(accept.next_word)
end

---@return boolean accepted
function M.accept_line()
  return partly(accept.next_line)
end

--- What asks and shows in this buffer. Neovim keeps it to itself, so it may be elsewhere in a later version: nil then.
---@return table?
local function completor()
  local found, capability = pcall(require, "vim.lsp._capability")
  local kind = found and capability.all and capability.all.inline_completion
  return kind and kind.active and kind.active[vim.api.nvim_get_current_buf()] or nil
end

--- Ask for a suggestion by hand; Neovim itself asks only while the cursor moves.
---@return boolean asked
function M.request()
  local own = completor()
  if own then
    own:request(1)
  end
  return own ~= nil
end

--- Ask by hand for what else there is, and turn as soon as it has come.
---@param own table
---@param step integer
local function ask_and_turn(own, step)
  local bufnr = vim.api.nvim_get_current_buf()
  local client = vim.lsp.get_clients({ name = "spark", bufnr = bufnr })[1]
  if not client then
    return
  end
  local tick = vim.api.nvim_buf_get_changedtick(bufnr)
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  ---@cast params table
  params.context = { triggerKind = 1 }
  client:request("textDocument/inlineCompletion", params, function(err, result, ctx)
    local items = result and (result.items or result) or {}
    if vim.api.nvim_buf_get_changedtick(bufnr) ~= tick or not M.visible() then
      return
    end
    if #items > 1 then
      own:handler(err, result, ctx)
      vim.lsp.inline_completion.select({ count = step })
    else
      vim.api.nvim_echo({ { "Spark: there is no other suggestion here." } }, false, {})
    end
  end, bufnr)
end

--- Show the next candidate, or the one before. While typing there is only one: then the others are asked for by hand.
---@param step integer
---@return boolean visible false when there was nothing to turn
function M.turn(step)
  local own = completor()
  if own and own:count_items() < 2 then
    ask_and_turn(own, step)
  else
    vim.lsp.inline_completion.select({ count = step })
  end
  return M.visible()
end

--- The user does not want the suggestion: the server is told, and does not offer it here again.
---@return boolean dismissed
function M.dismiss()
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      local client = vim.lsp.get_client_by_id(item.client_id)
      if client then
        client:notify("textDocument/didDismissCompletion" --[[@as any]], {
          item = { insertText = item.insert_text, command = item.command },
        })
      end
      return nil
    end,
  })
end

return M
