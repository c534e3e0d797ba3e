; What a C# file defines, imports and uses.

;; definitions
(namespace_declaration name: (_) @name body: (declaration_list) @body) @container
(class_declaration name: (identifier) @name) @definition.class
(class_declaration name: (identifier) @name body: (declaration_list) @body) @definition.class
(struct_declaration name: (identifier) @name) @definition.class
(struct_declaration name: (identifier) @name body: (declaration_list) @body) @definition.class
(record_declaration name: (identifier) @name) @definition.class
(record_declaration name: (identifier) @name body: (declaration_list) @body) @definition.class
(record_declaration (parameter_list (parameter name: (identifier) @name) @definition.field))
(interface_declaration name: (identifier) @name body: (declaration_list) @body) @definition.interface
(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum
(enum_member_declaration name: (identifier) @name) @definition.constant
(delegate_declaration name: (identifier) @name) @definition.type
(method_declaration name: (identifier) @name) @definition.method
(method_declaration name: (identifier) @name body: (_) @body) @definition.method
(constructor_declaration name: (identifier) @name body: (_) @body) @definition.method
(local_function_statement name: (identifier) @name body: (_) @body) @definition.function
(property_declaration name: (identifier) @name) @definition.field
(event_field_declaration (variable_declaration (variable_declarator name: (identifier) @name))) @definition.field
(event_declaration name: (identifier) @name) @definition.field
(field_declaration (variable_declaration (variable_declarator name: (identifier) @name))) @definition.field
((field_declaration (modifier) @modifier (variable_declaration (variable_declarator name: (identifier) @name)))
  @definition.constant (#eq? @modifier "const"))

;; references
(identifier) @reference

;; imports
(using_directive (qualified_name) @import.module)
(using_directive !name (identifier) @import.module)

;; scopes
(compilation_unit) @scope
(class_declaration) @scope
(method_declaration) @scope
(local_function_statement) @scope
(lambda_expression) @scope
(block) @scope

;; comments
(comment) @comment
[(string_literal) (verbatim_string_literal) (raw_string_literal) (character_literal)
 (interpolated_string_expression)] @string
(interpolation) @code
