; What a Java file defines, imports and uses.

;; definitions
(class_declaration name: (identifier) @name body: (_) @body) @definition.class
(record_declaration name: (identifier) @name body: (_) @body) @definition.class
(interface_declaration name: (identifier) @name body: (_) @body) @definition.interface
(annotation_type_declaration name: (identifier) @name body: (_) @body) @definition.interface
(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum
(method_declaration name: (identifier) @name) @definition.method
(method_declaration name: (identifier) @name body: (block) @body) @definition.method
(constructor_declaration name: (identifier) @name body: (_) @body) @definition.method
(field_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.field
((field_declaration declarator: (variable_declarator name: (identifier) @name)) @definition.constant
  (#match? @name "^[A-Z][A-Z0-9_]*$"))
(enum_constant name: (identifier) @name) @definition.constant

;; references
[(identifier) (type_identifier)] @reference

;; imports
(import_declaration (scoped_identifier scope: (_) @import.module name: (identifier) @import.name))

;; scopes
(program) @scope
(class_declaration) @scope
(method_declaration) @scope
(lambda_expression) @scope
(block) @scope

;; comments
[(line_comment) (block_comment)] @comment
[(string_literal) (character_literal)] @string
(string_interpolation) @code
