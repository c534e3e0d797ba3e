; What a C++ file or a header defines, includes and uses beside what C has.
; inherits: c

;; definitions
(class_specifier name: (type_identifier) @name body: (_) @body) @definition.class
(function_definition declarator: (function_declarator declarator: (field_identifier) @name)
  body: (compound_statement) @body) @definition.method
(function_definition declarator: (function_declarator
  declarator: (qualified_identifier scope: (_) @owner name: (identifier) @name))
  body: (compound_statement) @body) @definition.method
(function_definition declarator: (function_declarator declarator: (qualified_identifier scope: (_) @owner
  name: (qualified_identifier scope: (_) @owner name: (identifier) @name)))
  body: (compound_statement) @body) @definition.method
(function_definition declarator: (reference_declarator (function_declarator declarator: (_) @name))
  body: (compound_statement) @body) @definition.function
(field_declaration declarator: (function_declarator declarator: (field_identifier) @name)) @definition.method
(template_declaration (function_definition declarator: (function_declarator declarator: (identifier) @name)
  body: (compound_statement) @body)) @definition.function
(template_declaration (class_specifier name: (type_identifier) @name body: (_) @body)) @definition.class
(template_declaration (struct_specifier name: (type_identifier) @name body: (_) @body)) @definition.class
(alias_declaration name: (type_identifier) @name) @definition.type
(namespace_definition name: (namespace_identifier) @name body: (declaration_list) @body) @container

;; references
(namespace_identifier) @reference

;; scopes
(lambda_expression) @scope

;; comments
(raw_string_literal) @string
