; What JavaScript and TypeScript have in common; the files of both inherit it.

;; definitions
(function_declaration name: (identifier) @name body: (statement_block) @body) @definition.function
(generator_function_declaration name: (identifier) @name body: (statement_block) @body) @definition.function
(method_definition name: [(property_identifier) (private_property_identifier)] @name
  body: (statement_block) @body) @definition.method
(program (lexical_declaration (variable_declarator name: (identifier) @name)) @definition.variable)
(program (variable_declaration (variable_declarator name: (identifier) @name)) @definition.variable)
((program (lexical_declaration (variable_declarator name: (identifier) @name)) @definition.constant)
  (#match? @name "^_*[A-Z][A-Z0-9_]*$"))
(lexical_declaration (variable_declarator name: (identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)])) @definition.function
(export_statement (function_declaration name: (identifier) @name body: (_) @body)) @definition.function
(export_statement (generator_function_declaration name: (identifier) @name body: (_) @body)) @definition.function
(export_statement (lexical_declaration (variable_declarator name: (identifier) @name))) @definition.variable
((export_statement (lexical_declaration (variable_declarator name: (identifier) @name))) @definition.constant
  (#match? @name "^_*[A-Z][A-Z0-9_]*$"))
(export_statement (lexical_declaration (variable_declarator name: (identifier) @name
  value: [(arrow_function body: (_) @body) (function_expression body: (_) @body)]))) @definition.function

;; references
[(identifier) (property_identifier) (private_property_identifier) (shorthand_property_identifier)] @reference

;; imports
(import_statement source: (string (string_fragment) @import.module))
(import_statement (import_clause (identifier) @import.name) source: (string (string_fragment) @import.module))
(import_statement (import_clause (named_imports (import_specifier name: (identifier) @import.name)))
  source: (string (string_fragment) @import.module))
(export_statement source: (string (string_fragment) @import.module))
(export_statement (export_clause (export_specifier name: (identifier) @import.name))
  source: (string (string_fragment) @import.module))
((call_expression function: (identifier) @callee arguments: (arguments . (string (string_fragment) @import.module)))
  (#eq? @callee "require"))
((variable_declarator name: (object_pattern (shorthand_property_identifier_pattern) @import.name)
  value: (call_expression function: (identifier) @callee arguments: (arguments . (string (string_fragment) @import.module))))
  (#eq? @callee "require"))
(call_expression function: (import) arguments: (arguments . (string (string_fragment) @import.module)))

;; scopes
(program) @scope
(function_declaration) @scope
(function_expression) @scope
(arrow_function) @scope
(method_definition) @scope
(class_declaration) @scope
(statement_block) @scope

;; comments
(comment) @comment
[(string) (template_string) (regex)] @string
(template_substitution) @code
