namespace BackupDr.Contracts;

/// <summary>What was asked of stores during a run.</summary>
/// <param name="Verbs">One for each verb that was used.</param>
/// <param name="Retries">How often a request was made again because it had failed for a passing reason.</param>
public sealed record StoreTraffic(IReadOnlyList<VerbTraffic> Verbs, long Retries);

/// <summary>What was asked with one verb.</summary>
/// <param name="Verb">"put", "read", "head", "list", "delete" or "other" (locks, classes, versions).</param>
/// <param name="Requests">How often, each try counted; a listing counts once.</param>
/// <param name="Bytes">Bytes of objects that went there or came back.</param>
/// <param name="Seconds">Time under way, added up over all that were under way together.</param>
/// <param name="Errors">How many failed, by the store's word for it: "missing", "throttled" and so on; null where none did.</param>
public sealed record VerbTraffic(string Verb, long Requests, long Bytes, double Seconds, IReadOnlyDictionary<string, long>? Errors = null);
