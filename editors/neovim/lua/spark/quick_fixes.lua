-- The preferred quick fix of the diagnostic nearest to the cursor, asked of the other servers of a buffer.

local M = {}

local MAX_LINES = 20 -- a diagnostic farther away has little to do with the last edit
local CODE_ACTION = "textDocument/codeAction" --[[@as any]]
local RESOLVE = "codeAction/resolve" --[[@as any]]

---@param bufnr integer
---@return vim.Diagnostic?
local function nearest_diagnostic(bufnr)
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  local nearest ---@type vim.Diagnostic?
  for _, diagnostic in ipairs(vim.diagnostic.get(bufnr)) do
    local distance = math.abs(diagnostic.lnum - row)
    if distance <= MAX_LINES and (not nearest or distance < math.abs(nearest.lnum - row)) then
      nearest = diagnostic
    end
  end
  return nearest
end

--- The edits of an action, where they are in one document alone and that is this one.
---@param action lsp.CodeAction
---@param bufnr integer
---@return table?
local function fix_of(action, bufnr)
  local uri = vim.uri_from_bufnr(bufnr)
  local edit = action.edit or {}
  local edits ---@type (lsp.TextEdit|lsp.AnnotatedTextEdit|lsp.SnippetTextEdit)[]?
  if edit.documentChanges and #edit.documentChanges == 1 then
    local change = edit.documentChanges[1]
    edits = change.textDocument and change.textDocument.uri == uri and change.edits or nil
  elseif edit.changes and vim.tbl_count(edit.changes) == 1 then
    edits = edit.changes[uri]
  end
  local is_whole = edits and #edits > 0 and not action.command
  return is_whole and { title = action.title, edits = edits } or nil
end

---@param client vim.lsp.Client
---@param bufnr integer
---@param actions (lsp.CodeAction|lsp.Command)[]?
---@param found fun(fix: table)
local function take(client, bufnr, actions, found)
  for _, action in ipairs(actions or {}) do
    if action.isPreferred and not action.disabled then
      local fix = fix_of(action, bufnr)
      if fix then
        found(fix)
      elseif not action.edit and client:supports_method(RESOLVE, bufnr) then
        client:request(RESOLVE, action, function(_, resolved)
          local whole = resolved and fix_of(resolved, bufnr)
          if whole then
            found(whole)
          end
        end, bufnr)
      end
      return
    end
  end
end

--- Ask for the preferred fix of the nearest diagnostic; `found` is called at most once for each server that has one.
---@param bufnr integer
---@param encoding string the one of Spark; servers with another one are not asked
---@param found fun(fix: table)
function M.nearest(bufnr, encoding, found)
  local diagnostic = nearest_diagnostic(bufnr)
  local sent = diagnostic and diagnostic.user_data and diagnostic.user_data.lsp
  if not diagnostic or not sent then
    return
  end
  for _, client in ipairs(vim.lsp.get_clients({ bufnr = bufnr, method = CODE_ACTION })) do
    if client.name ~= "spark" and client.offset_encoding == encoding then
      local params = {
        textDocument = vim.lsp.util.make_text_document_params(bufnr),
        range = sent.range,
        context = { diagnostics = { sent }, only = { "quickfix" }, triggerKind = 2 },
      }
      client:request(CODE_ACTION, params, function(_, actions)
        take(client, bufnr, actions, found)
      end, bufnr)
    end
  end
end

return M
