-- What vim.lsp.enable("spark") starts. Every part can be overridden with vim.lsp.config("spark", { ... }).

---@type vim.lsp.Config
return {
  cmd = { "spark-lsp", "serve", "--stdio" },
  -- The nearest project, as the server's own commands find it. Buffers that are no files (unnamed, or another plugin's
  -- scheme) get no server: they have no place in a workspace.
  root_dir = function(bufnr, on_dir)
    local name = vim.api.nvim_buf_get_name(bufnr)
    if name ~= "" and not name:match("^%a[%w+.-]+://") then
      local markers = { ".git", "pyproject.toml", "package.json", "go.mod", "Cargo.toml", ".spark-lsp.toml" }
      on_dir(vim.fs.root(bufnr, markers))
    end
  end,
  -- No `filetypes`: the server knows its languages and says why when it does not answer.
  capabilities = {
    -- 0.11 knows the method but does not offer it; this plugin is what handles the answer there.
    textDocument = { inlineCompletion = { dynamicRegistration = false } },
  },
  handlers = {
    ["$/progress"] = function(err, params, ctx)
      return require("spark.stream").on_progress(err, params, ctx)
    end,
    ["window/showMessageRequest"] = function(err, params, ctx)
      return require("spark.question").ask(err, params, ctx)
    end,
    ["spark/status"] = function(_, params, ctx)
      require("spark.status").update(ctx.client_id, params)
    end,
  },
  settings = { spark = vim.empty_dict() },
}
