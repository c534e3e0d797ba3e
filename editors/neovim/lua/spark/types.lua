---@meta
-- Shapes that several files share. Nothing here runs.

---@alias spark.Ui
---| "auto"     # the built-in inline completion where this Neovim has one, our own ghost text otherwise
---| "own"      # our own ghost text: typed-through, growing while it streams, word and line accept
---| "builtin"  # vim.lsp.inline_completion (0.12 and newer)

---@class spark.Keys
---@field accept string|false
---@field accept_word string|false
---@field accept_line string|false
---@field dismiss string|false
---@field next string|false
---@field previous string|false
---@field request string|false
---@field next_edit string|false  of normal mode, while a next edit is shown

---@class (exact) spark.Config
---@field cmd? string[]        how to start the server; nil leaves lsp/spark.lua's
---@field settings? table      the server's settings, without the leading "spark"
---@field ui spark.Ui
---@field keys spark.Keys

---@class spark.Item : lsp.InlineCompletionItem
---@field insertText string    the server never sends snippets

---@class spark.Status         params of spark/status, docs/protocol.md
---@field kind "Normal"|"Error"|"Warning"|"Inactive"
---@field busy? boolean
---@field message? string
---@field model? string
---@field why? string          why this model serves where the settings name none
---@field indexed? { files: integer, of: integer }
---@field resident_tokens? integer

---@class spark.View           what a suggestion looks like at the cursor
---@field row integer          0-based
---@field col integer          byte column of the cursor
---@field rest string          what is left to insert, the text after the cursor included
---@field pieces spark.Piece[] the part on the cursor's own line, around the text that is already there
---@field below string[]       the lines under it

---@class spark.Piece
---@field col integer          byte column where it stands
---@field text string
