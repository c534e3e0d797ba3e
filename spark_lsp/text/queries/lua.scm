; What a Lua file defines, requires and uses.

;; definitions
(chunk (variable_declaration (assignment_statement (variable_list name: (identifier) @name))) @definition.variable)
(chunk (assignment_statement (variable_list name: (identifier) @name)) @definition.variable)
((chunk (variable_declaration (assignment_statement (variable_list name: (identifier) @name))) @definition.constant)
  (#match? @name "^[A-Z][A-Z0-9_]+$"))
((chunk (assignment_statement (variable_list name: (identifier) @name)) @definition.constant)
  (#match? @name "^[A-Z][A-Z0-9_]+$"))
(chunk (assignment_statement (variable_list name: (dot_index_expression table: (_) @owner field: (identifier) @name)))
  @definition.field)
(function_declaration name: (identifier) @name) @definition.function
(function_declaration name: (identifier) @name body: (block) @body) @definition.function
(function_declaration name: (dot_index_expression table: (_) @owner field: (identifier) @name)) @definition.function
(function_declaration name: (dot_index_expression table: (_) @owner field: (identifier) @name)
  body: (block) @body) @definition.function
(function_declaration name: (method_index_expression table: (_) @owner method: (identifier) @name)) @definition.method
(function_declaration name: (method_index_expression table: (_) @owner method: (identifier) @name)
  body: (block) @body) @definition.method
(variable_declaration (assignment_statement (variable_list name: (identifier) @name)
  (expression_list value: (function_definition body: (block) @body)))) @definition.function
(assignment_statement (variable_list name: (dot_index_expression table: (_) @owner field: (identifier) @name))
  (expression_list value: (function_definition body: (block) @body))) @definition.function
(field name: (identifier) @name value: (function_definition body: (block) @body)) @definition.function

;; references
(identifier) @reference

;; imports
((function_call name: (identifier) @caller arguments: (arguments (string content: (string_content) @import.module)))
  (#match? @caller "^(require|dofile|loadfile)$"))

;; scopes
(chunk) @scope
(function_declaration) @scope
(function_definition) @scope
(block) @scope

;; comments
(comment) @comment
(string) @string
