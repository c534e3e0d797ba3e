"""The reserved words of each language: words of its code that can name nothing of the user's.

Words that are both keyword and name by their place (``type`` in Python, ``get`` in JavaScript) are left out only where
nearly every use is the keyword. Names of built-in types stand here where the language does not let them be redefined.
"""

from collections.abc import Mapping

_C = """
    alignas alignof asm auto break case char const constexpr continue default define defined do double elif else endif
    enum error extern false float for goto if ifdef ifndef include inline int line long NULL nullptr pragma register
    restrict return short signed sizeof static static_assert struct switch thread_local true typedef typeof undef union
    unsigned void volatile while _Alignas _Alignof _Atomic _Bool _Complex _Generic _Imaginary _Noreturn _Static_assert
    _Thread_local __attribute__ __extension__ __inline __inline__ __restrict __typeof__
"""
_SCRIPT = """
    async await break case catch class const continue debugger default delete do else export extends false finally for
    from function if import in instanceof let new null of return static super switch this throw true try typeof
    undefined var void while with yield
"""

_WORDS = {
    "python": """
        False None True and as assert async await break class continue def del elif else except finally for from
        global if import in is lambda nonlocal not or pass raise return try while with yield
    """,
    "javascript": _SCRIPT,
    "typescript": _SCRIPT
    + """
        abstract any as asserts boolean declare enum implements infer interface is keyof namespace never number
        private protected public readonly satisfies string symbol type unique unknown get set override
    """,
    "go": """
        _ break case chan const continue default defer else fallthrough false for func go goto if import interface iota
        map nil package range return select struct switch true type var
    """,
    "rust": """
        _ as async await bool break char const continue crate dyn else enum extern f32 f64 false fn for i128 i16 i32 i64
        i8 if impl in isize let loop macro_rules match mod move mut pub ref return self static str struct super trait
        true type u128 u16 u32 u64 u8 union unsafe use usize where while
    """,
    "java": """
        abstract assert boolean break byte case catch char class const continue default do double else enum extends
        false final finally float for goto if implements import instanceof int interface long native new null package
        permits private protected public record return sealed short static strictfp super switch synchronized this
        throw throws transient true try var void volatile while
    """,
    "c": _C,
    "cpp": _C
    + """
        bool catch char16_t char32_t char8_t class co_await co_return co_yield concept consteval constinit const_cast
        decltype delete dynamic_cast explicit export final friend mutable namespace new noexcept operator override
        private protected public reinterpret_cast requires static_cast template this throw try typeid typename using
        virtual wchar_t
    """,
    "csharp": """
        _ abstract as async await base bool break byte case catch char checked class const continue decimal default
        delegate do double dynamic else enum event explicit extern false finally fixed float for foreach get goto if
        implicit in init int interface internal is lock long nameof namespace new null object operator out override
        params partial private protected public readonly record ref required return sbyte sealed set short sizeof
        stackalloc static string struct switch this throw true try typeof uint ulong unchecked unsafe ushort using
        value var virtual void volatile when where while with yield
    """,
    "ruby": """
        BEGIN END __FILE__ __LINE__ alias and begin break case class def defined do else elsif end ensure false for if
        in module next nil not or redo rescue retry return self super then true undef unless until when while yield
    """,
    "php": """
        abstract and array as bool break callable case catch class clone const continue declare default do echo else
        elseif empty enddeclare endfor endforeach endif endswitch endwhile enum extends false final finally float fn
        for foreach function global goto if implements include include_once instanceof insteadof int interface isset
        iterable match mixed namespace never new null object or parent php print private protected public readonly
        require require_once return self static string switch this throw trait true try unset use var void while xor
        yield
    """,
    "lua": """
        and break do else elseif end false for function goto if in local nil not or repeat return self then true until
        while
    """,
    "bash": """
        break case continue declare do done elif else esac export eval exit false fi for function if in local readonly
        return select set shift source test then time trap true typeset unset until while
    """,
    "kotlin": """
        _ abstract actual annotation as break by catch class companion const constructor continue crossinline data do
        else enum expect external false final finally for fun get if import in infix init inline inner interface
        internal is it lateinit noinline null object open operator out override package private protected public
        reified return sealed set super suspend tailrec this throw true try typealias val value var vararg when where
        while
    """,
    "scala": """
        _ abstract case catch class def do else end enum export extends extension false final finally for forSome given
        if implicit import inline lazy match new null object opaque override package private protected return sealed
        super then this throw trait true try type using val var while with yield
    """,
    "swift": """
        _ actor any as associatedtype async await break case catch class continue convenience default defer deinit do
        else enum extension fallthrough false fileprivate final for func get guard if import in indirect infix init
        inout internal is lazy let mutating nil nonisolated nonmutating open operator optional override postfix
        precedencegroup prefix private protocol public repeat required rethrows return self set some static struct
        subscript super switch throw throws true try typealias unowned var weak where while willSet didSet
    """,
}

RESERVED: Mapping[str, frozenset[str]] = {
    **{name: frozenset(words.split()) for name, words in _WORDS.items()},
    "tsx": frozenset(_WORDS["typescript"].split()),
}
"""Name of a language to its reserved words."""
