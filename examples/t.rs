fn main(){
  let c = standin::vendor::Catalog::bundled();
  for id in c.ids().map(str::to_owned).collect::<Vec<_>>() {
    match c.load(&standin::vendor::VendorRef::parse(&id)) { Ok(v)=>println!("{} ok {:?}", v.id, v.event_types()), Err(p)=>println!("{id}\n{}", standin::diag::render::render(p)) }
  }
}
