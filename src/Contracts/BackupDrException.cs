namespace BackupDr.Contracts;

/// <summary>A failure we can name. Everything shown to a person or sent over the wire derives from this.</summary>
/// <remarks>Code: "area.what", stable, listed in docs/reference/errors.md. Hint: what the reader can do next, one sentence.</remarks>
public abstract class BackupDrException(string code, string message, string? hint = null, bool transient = false, Exception? inner = null)
    : Exception(message, inner)
{
    /// <summary>Stable code, "area.what"; listed in docs/reference/errors.md.</summary>
    public string Code { get; } = code;

    /// <summary>What the reader can do next, one sentence; null where there is nothing to do.</summary>
    public string? Hint { get; } = hint;

    /// <summary>Whether the same call may succeed later without anybody changing anything.</summary>
    public bool IsTransient { get; } = transient;
}

/// <summary>What a person or a program gave us is not usable. HTTP 400, CLI exit 1.</summary>
/// <param name="field">The field, option or setting that is wrong.</param>
/// <param name="message">What was given and why it cannot be used.</param>
/// <param name="hint">What would be right.</param>
public sealed class BadInputException(string field, string message, string? hint = null)
    : BackupDrException("input.invalid", message, hint)
{
    /// <summary>The field, option or setting that is wrong.</summary>
    public string Field { get; } = field;
}

/// <summary>The thing named does not exist, or the caller may not know that it does. HTTP 404.</summary>
/// <param name="what">The thing, as a noun phrase: "A policy with this id".</param>
/// <param name="hint">What the reader can do next.</param>
public sealed class NotFoundException(string what, string? hint = null)
    : BackupDrException("object.not_found", $"{what} does not exist.", hint);

/// <summary>The caller is known and may not do this. HTTP 403.</summary>
/// <param name="message">What was refused and which right it needs.</param>
/// <param name="hint">Whom to ask.</param>
public sealed class DeniedException(string message, string? hint = null) : BackupDrException("access.denied", message, hint);

/// <summary>The state of the object does not allow this now. HTTP 409.</summary>
/// <param name="code">Stable code, for example "run.lease_lost".</param>
/// <param name="message">What stands in the way.</param>
/// <param name="hint">What the reader can do next.</param>
public sealed class ConflictException(string code, string message, string? hint = null) : BackupDrException(code, message, hint);

/// <summary>Something outside this process failed and may work again later: a network call, a database, a start-up race.</summary>
/// <param name="code">Stable code, for example "node.unreachable".</param>
/// <param name="message">What failed, with the name of the other side.</param>
/// <param name="hint">What the reader can do next.</param>
/// <param name="inner">The failure underneath.</param>
public sealed class UnavailableException(string code, string message, string? hint = null, Exception? inner = null)
    : BackupDrException(code, message, hint, transient: true, inner);

/// <summary>Nobody is signed in, or the password, key or token that was given is not right. HTTP 401.</summary>
/// <param name="code">Stable code, for example "access.not_signed_in".</param>
/// <param name="message">What was refused.</param>
/// <param name="hint">How to sign in.</param>
public sealed class NotSignedInException(string code, string message, string? hint = null) : BackupDrException(code, message, hint);

/// <summary>Too many calls of this kind in a short time. HTTP 429.</summary>
/// <param name="code">Stable code, for example "access.too_many_attempts".</param>
/// <param name="message">What was limited.</param>
/// <param name="retryAfter">When the next one is worth trying.</param>
public sealed class LimitedException(string code, string message, TimeSpan retryAfter)
    : BackupDrException(code, message, $"Try again in {Math.Ceiling(retryAfter.TotalSeconds):0} seconds.", transient: true)
{
    /// <summary>When the next one is worth trying.</summary>
    public TimeSpan RetryAfter { get; } = retryAfter;
}
