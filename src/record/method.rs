//! HTTP methods.

crate::string_enum! {
    /// HTTP method of a request.
    pub enum Method {
        /// `POST`, with a body.
        Post = "POST",
        /// `GET`, without a body.
        Get = "GET",
        /// `PUT`, to the receiver's own API only.
        Put = "PUT",
        /// `PATCH`, to the receiver's own API only.
        Patch = "PATCH",
        /// `DELETE`, to the receiver's own API only.
        Delete = "DELETE",
    }
}
