; What a TypeScript or TSX file defines, imports and uses beside what JavaScript has too. Shared by both grammars.
; inherits: ecmascript

;; definitions
(class_declaration name: (type_identifier) @name body: (class_body) @body) @definition.class
(abstract_class_declaration name: (type_identifier) @name body: (class_body) @body) @definition.class
(interface_declaration name: (type_identifier) @name body: (_) @body) @definition.interface
(enum_declaration name: (identifier) @name body: (_) @body) @definition.enum
(type_alias_declaration name: (type_identifier) @name) @definition.type
(internal_module name: (identifier) @name body: (statement_block) @body) @container
(function_signature name: (identifier) @name) @definition.function
(export_statement (class_declaration name: (type_identifier) @name body: (_) @body)) @definition.class
(export_statement (abstract_class_declaration name: (type_identifier) @name body: (_) @body)) @definition.class
(export_statement (interface_declaration name: (type_identifier) @name body: (_) @body)) @definition.interface
(export_statement (enum_declaration name: (identifier) @name body: (_) @body)) @definition.enum
(export_statement (type_alias_declaration name: (type_identifier) @name)) @definition.type
(export_statement (function_signature name: (identifier) @name)) @definition.function
(method_signature name: (property_identifier) @name) @definition.method
(abstract_method_signature name: (property_identifier) @name) @definition.method
(property_signature name: (property_identifier) @name) @definition.field
(public_field_definition name: [(property_identifier) (private_property_identifier)] @name) @definition.field

;; references
(type_identifier) @reference

;; scopes
(interface_declaration) @scope
